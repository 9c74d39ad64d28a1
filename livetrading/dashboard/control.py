"""What pages and routes can start: requests to the scheduler, and commands as separate processes."""

from typing import Any

from filelock import FileLock, Timeout

from livetrading.adapters import private, settings
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.core.errors import BadInput, Conflict, LivetradingError, Refused, Unavailable, Unforeseen, revived
from livetrading.core.liveness import Liveness
from livetrading.core.stopping import StopState
from livetrading.execution.state import heartbeat, requests, stop_record

from . import commands, reading
from .format import duration

ANSWER_SECONDS = 10
STOP_SECONDS = 45
"""A stop takes longer only without a scheduler, while it waits for a broker; it runs on then."""
DEPLOY_SECONDS = 300
START_SECONDS = 30
CLOSE = 16 * 60
"""The regular close, in minutes after midnight in New York."""
STOP_TEXTS = {
    StopState.DONE: "Flat: no position and no order of ours is left.",
    StopState.QUEUED: "Halted; exits are queued.",
    StopState.WAITING: "Halted; the broker has not answered yet, and the stop continues by itself.",
    StopState.FAILED: "Halted; not everything could be closed: the items say what a person must do.",
}
NO_SCHEDULER = (
    "No scheduler is running, so nothing would carry this out; start it with `python -m livetrading scheduler`."
)


def request(
    home: Home, kind: str, agent_id: str | None, by: str, request_id: str, args: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Submit a request and wait for its outcome: ``{"status", "message", "result", …}``.

    Raises Unavailable if no scheduler runs or it does not answer in time, and the
    error that refused the request.
    """
    store = Store(home)
    sign = heartbeat.look(home)
    if sign.holder is None:
        raise Unavailable(NO_SCHEDULER)
    if sign.state == Liveness.HUNG:
        raise Unavailable(hung(sign))
    requests.submit(store, kind, agent_id=agent_id, args=args, by=by, request_id=request_id, now=reading.now())
    outcome = requests.wait(store, request_id, timeout=ANSWER_SECONDS)
    if outcome["status"] == "refused":
        raise revived(outcome["result"].get("error_type"), outcome["message"])
    return outcome


def rearm(home: Home, by: str, request_id: str) -> str:
    """Clear the emergency stop; the message of the outcome.

    The scheduler does it, or a command if none runs.
    """
    if SchedulerLock(home).holder() is not None:
        return request(home, "rearm", None, by, request_id)["message"]
    return result_of(commands.run(home, ["rearm"], STOP_SECONDS, f"rearm-{request_id}")).get("message", "")


def emergency_stop(home: Home, reason: str, by: str, command_id: str, all_orders: bool = False) -> dict[str, Any]:
    """Set the latch here and now, then run the command: ``{"items", "flat", …}``.

    The latch comes first, so that trading is halted even if no process can be
    started. Raises Conflict with the command's own sentence if it fails. If the stop still waits for
    a broker after a while, the answer is its state until then; its process runs on.
    """
    halt = HaltLatch(home).set(reason, by, reading.now())
    options = ["--all-orders"] if all_orders else []
    arguments = ["emergency-stop", "--reason", reason, "--by", by, "--request-id", command_id, *options]
    try:
        command = commands.start(home, [*arguments, "--json"], f"stop-{command_id}")
    except commands.OtherArguments as error:
        # The id is wrong, but the stop is wanted: it runs under a new id.
        commands.start(home, ["emergency-stop", "--reason", reason, "--by", by, *options, "--json"])
        raise Conflict(f"{error} Trading is halted all the same, and the stop runs.") from None
    try:
        return result_of(command.wait(STOP_SECONDS))
    except Unavailable:
        known = stop_record.picture(Store(home), halt) or {**stop_record.identity(halt), "items": []}
        message = f"The stop waits for its broker; process {command.pid} continues it."
        return {**known, "state": str(StopState.WAITING), "flat": False, "message": message}


def deploy(home: Home, model_id: str, options: dict[str, Any], by: str, request_id: str) -> dict[str, Any]:
    """Run ``deploy``: ``{"agent_id", "test", "warnings", …}``. ``options`` are its long options. Raises
    OldBars if ``old-bars`` is ``refuse`` and the bars are old."""
    pairs = [part for name, value in options.items() if value is not None for part in (f"--{name}", str(value))]
    answer = commands.run(
        home,
        ["deploy", model_id, *pairs, "--by", by, "--request-id", request_id],
        DEPLOY_SECONDS,
        f"deploy-{request_id}",
    )
    if answer.error is not None and "old_bars" in answer.values:
        raise OldBars(answer.error)
    return result_of(answer)


def deployed(answer: dict[str, Any]) -> str:
    """The result of a deployment in a sentence."""
    if answer.get("bars_current") is False:
        return f"{answer.get('agent_id')} is deployed; it cannot trade until bars after {answer['bars_until']} arrive."
    return f"{answer.get('agent_id')} is deployed and running."


def start_scheduler(home: Home, check_time: str | None = None) -> tuple[int | None, bool]:
    """The scheduler's pid, and whether it was this call that started it.

    One start at a time; returns when the new process has the lock. Raises Unavailable if it
    does not get so far, Conflict with the cure if a scheduler hangs.
    """
    try:
        with FileLock(home.root / "scheduler.start.lock", timeout=START_SECONDS, mode=private.FILE):
            return _start_scheduler(home, check_time)
    except Timeout:
        raise Unavailable(
            "The scheduler is already being started, and that takes long; look again in a minute."
        ) from None


def _start_scheduler(home: Home, check_time: str | None) -> tuple[int | None, bool]:
    sign = heartbeat.look(home)
    runs = sign.scheduler != Liveness.DEAD
    if check_time is not None:
        _set_check_time(home, check_time, running=runs)
    if sign.scheduler == Liveness.HUNG:
        raise Conflict(hung(sign))
    if runs and sign.holder is not None:
        return sign.holder.pid, False
    # If a command has the lock now, it will release it for the scheduler.
    command = commands.start(home, ["scheduler"])
    return command.until(lambda: heartbeat.look(home).scheduler.works, START_SECONDS), True


def hung(sign: heartbeat.Sign) -> str:
    """A sentence on a process that has the lock and hangs, with the cure."""
    pid, role = (sign.holder.pid, sign.holder.role) if sign.holder else (None, "process")
    return (
        f"The {role} (process {pid or 'unknown'}) hangs: it has had no heartbeat for {duration(sign.still)}. "
        f"`python -m livetrading up` restarts a hung scheduler by itself; without `up`, end process "
        f"{pid or 'that holds scheduler.lock'} and start the scheduler again."
    )


def _set_check_time(home: Home, text: str, running: bool) -> None:
    hours, _, minutes = text.partition(":")
    if not (len(text) == 5 and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        raise BadInput(f"check_time is {text!r}; write it as HH:MM, New York, such as 16:30.")
    delay = int(hours) * 60 + int(minutes) - CLOSE
    if delay < 15:
        raise Refused(
            f"check_time {text} is before 16:15 New York; delayed bars are complete 15 minutes after the close."
        )
    if delay == settings.load(home).check_delay_minutes:
        return
    if running:
        raise Conflict("A scheduler runs already with another check time; stop it first, then start it with this one.")
    settings.save(home, "check_delay_minutes", delay)


class OldBars(LivetradingError):
    """The bars do not reach the last session: choose another source, or confirm that you accept it."""

    http_status = 409


def result_of(answer: commands.Answer) -> dict[str, Any]:
    """The values of a command's answer. Raises its error as the type that the command raised."""
    if answer.error is not None:
        # A command that ran and found a problem gives values but no type of error; one that died gives no values.
        nameless = Conflict if answer.values else Unforeseen
        raise revived(answer.values.get("error_type", nameless.__name__), answer.error)
    return answer.values
