"""The gate to real money at a deployment: asked when the broker has said which account it is."""

from dataclasses import dataclass, field
from typing import Any

from ..adapters.openings import Openings
from ..core import admission
from ..core.card import ModelCard
from ..core.errors import Conflict
from ..core.types import Mode
from .node import Node


@dataclass
class Asked:
    """Called with an account's number; ``result`` is that of the test job."""

    node: Node
    card: ModelCard
    result: dict[str, Any]
    real_money: bool = field(default=False, init=False)

    def __call__(self, number: str) -> None:
        """Raises Refused where real money may not trade, Conflict if the test was looked at again meanwhile."""
        words = self.node.account.words
        self.real_money = words.setup is None or not words.setup.is_paper(number)
        if not self.real_money:
            return
        gate = self.result.get("gate")
        admission.admit(Mode.BROKER, self.result["test"], gate, True, words.an_account)
        told, now = (gate or {})["openings"]["count"], Openings(self.node.store).of_model(self.card.model_id).tries
        if told != now:
            raise Conflict(
                f"The test of {self.card.model_id} was looked at again since the gate was asked ({told} times then,"
                f" {now} now); deploy it again, and the gate counts anew."
            )

    def remembered(self) -> dict[str, Any]:
        """What the agent keeps of the gate's answer."""
        gate = self.result.get("gate")
        return admission.remembered(gate, self.real_money) if gate else {}
