"""Exceptions named by what the operator does next.

Every message is one clear sentence that says what is wrong and what to do.
The command line prints it and exits with ``exit_code``; REST answers with
``http_status``.
"""


class LivetradingError(Exception):
    """Root of every error that this package raises on purpose."""

    exit_code = 1
    http_status = 400


class BadInput(LivetradingError):
    """The caller gave a value that cannot be used: correct it and call again."""


class BadBars(BadInput):
    """A bar series is not fit for use: mend the file or choose another source."""


class NotFound(LivetradingError):
    """The named thing does not exist: list what exists and choose."""

    http_status = 404


class Conflict(LivetradingError):
    """The present state does not allow the request: change the state first."""

    http_status = 409


class Refused(LivetradingError):
    """A safety rule forbids it: the message names the rule and how to satisfy it."""

    http_status = 409


class Unavailable(LivetradingError):
    """Something outside the program does not answer now: try again later."""

    http_status = 503


class Damaged(LivetradingError):
    """A file was changed from outside: check it before anything continues."""

    http_status = 503


class Unforeseen(LivetradingError):
    """An error of the program itself: its traceback is in the log; read it, and report the error."""

    http_status = 500


_KINDS = {
    kind.__name__: kind
    for kind in (LivetradingError, BadInput, BadBars, NotFound, Conflict, Refused, Unavailable, Damaged, Unforeseen)
}
"""Errors that keep their type between processes; a subclass is sent as the nearest of these."""


def kind_of(error: BaseException) -> str:
    """The name under which an error is stored for another process, which ``revived`` understands."""
    return next((cls.__name__ for cls in type(error).__mro__ if _KINDS.get(cls.__name__) is cls), Unforeseen.__name__)


def revived(kind: object, sentence: str) -> LivetradingError:
    """The error that another process stored by ``kind_of``; a kind of another version, unknown here, becomes a plain refusal."""
    return _KINDS.get(str(kind), LivetradingError)(sentence)


def in_a_line(error: BaseException) -> str:
    """``RuntimeError: its message``, of any exception, in one line of at most 200 characters."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:200] if said else type(error).__name__
