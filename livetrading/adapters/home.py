"""The home directory: where it is, and the paths inside it.

Standard library only, because the emergency stop imports it.
"""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import BadInput
from . import private

CHECKOUT = Path(__file__).resolve().parents[2]
MAX_AGENT_ID = 24
"""An order's key starts with it, and the broker's field for keys is short."""

_SYMBOL = r"[A-Z0-9^][A-Z0-9.^=-]*"
_AGENT = re.compile(rf"(PPO|SAC)_{_SYMBOL}_\d{{3,}}")
_MODEL = re.compile(rf"(PPO|SAC)_{_SYMBOL}_v\d{{8}}_\d{{6}}(_\d+)?")


_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,32}")


def is_agent_id(name: object) -> bool:
    """Whether it can be used in a path and an order key."""
    return isinstance(name, str) and len(name) <= MAX_AGENT_ID and _AGENT.fullmatch(name) is not None


def check_agent_id(agent_id: str | None) -> str:
    """Returns the id if it can be used in a path and an order key, else BadInput."""
    if agent_id is not None and is_agent_id(agent_id):
        return agent_id
    raise BadInput(f"{agent_id!r} is not an agent id; use one like PPO_INTC_001, as `agents` lists them.")


def check_model_id(model_id: str) -> str:
    """Returns the id if it can be used in a path, else BadInput."""
    if isinstance(model_id, str) and len(model_id) <= 64 and _MODEL.fullmatch(model_id):
        return model_id
    raise BadInput(f"{model_id!r} is not a model id; use one like PPO_INTC_v20251108_162433, as `models` lists them.")


@dataclass(frozen=True)
class Home:
    """Paths below ``root``. Building one touches no disk; ``resolve`` does."""

    root: Path

    @classmethod
    def resolve(cls, option: str | None = None, environ: Mapping[str, str] = os.environ) -> "Home":
        """``option`` (--home), else LIVETRADING_HOME, else ``var`` in the checkout.

        Creates the directories, for their owner alone, and tries a write. Raises
        BadInput in one sentence if that fails; a home that others can read, and whose rights
        cannot be changed, is a warning on standard error.
        """
        chosen = option or environ.get("LIVETRADING_HOME") or str(CHECKOUT / "var")
        home = cls(Path(os.path.abspath(os.path.expanduser(chosen))))
        try:
            for directory in (home.root, home.agents, home.models, home.cache, home.logs):
                directory.mkdir(private.DIRECTORY, parents=True, exist_ok=True)
            _try_write(home.root)
            _close(home.root)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise BadInput(
                f"the home {home.root} cannot be written ({why.lower()}); "
                "choose another with --home or LIVETRADING_HOME."
            ) from None
        return home

    @property
    def agents(self) -> Path:
        return self.root / "agents"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def studies(self) -> Path:
        """Studies of settings: their embedded database, and a directory for each."""
        return self.root / "studies"

    @property
    def token(self) -> Path:
        """The secret that programs show to the REST routes; made when the dashboard first starts."""
        return self.root / "api_token"

    def agent(self, agent_id: str) -> Path:
        """The agent's directory, whether it exists or not. Raises BadInput."""
        return self.agents / check_agent_id(agent_id)

    def account(self, number: str) -> Path:
        """A broker account's directory, whether it exists or not. Raises BadInput."""
        if not _ACCOUNT.fullmatch(number):
            raise BadInput(f"{number!r} is not an account number; use up to 32 letters and digits.")
        return self.root / "accounts" / number

    def model(self, model_id: str) -> Path:
        """The model's directory, whether it exists or not. Raises BadInput."""
        return self.models / check_model_id(model_id)


def _close(root: Path) -> None:
    """Takes the rights of other users from a home that an earlier version or a person made."""
    if not os.stat(root).st_mode & private.OTHERS:
        return
    problem = private.close_root(root)
    if problem is None:
        private.close_content(root)
    elif sys.stderr is not None:
        print(problem, file=sys.stderr)


def _try_write(root: Path) -> None:
    """For root the permission bits say nothing about a read-only disk, so a real write is tried."""
    probe = root / f".probe.{os.getpid()}.0.tmp"
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT, private.FILE)
    os.close(fd)
    with suppress(FileNotFoundError):  # another thread of this process made the same test
        os.unlink(probe)
