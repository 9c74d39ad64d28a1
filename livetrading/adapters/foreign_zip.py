"""A zip that Stable-Baselines3 wrote elsewhere: does it fit what its card says? No pickle is run.

Only ``policy.pth`` is read, by torch's restricted reader (``weights_only=True``), and the plain text of ``data``,
which is JSON; the pickles that ``data`` carries beside the text are never decoded.
"""

import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

from ..core.card import PolicySpec
from ..core.errors import BadInput
from ..core.observe import ACCOUNT_FIELDS
from ..core.types import AgentType
from .policy import build

LARGEST = 256 * 1024 * 1024
"""Bytes of the zip, and of each part that is read of it: the largest network that a card can describe is smaller."""
USUAL_ACTIVATION = {AgentType.PPO: "tanh", AgentType.SAC: "relu"}
"""What Stable-Baselines3 takes if nothing is said."""
ACTIONS = {AgentType.PPO: "Discrete(3): SELL 0, HOLD 1, BUY 2", AgentType.SAC: "Box(-1, 1, (1,))"}
HEADS = {AgentType.PPO: "action_net.", AgentType.SAC: "actor.mu."}
"""The tensors whose height is the number of actions."""


def read(path: Path) -> bytes:
    """The bytes of a zip. BadInput if it cannot be read or is too large."""
    try:
        if not path.is_file():
            raise BadInput(f"{path} is not a file; give the zip that Stable-Baselines3 saved.")
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path} is larger than {LARGEST // 1024**2} MB; it is no network that a card describes.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}); give the zip of a model.") from error


def check(content: bytes, name: str, agent_type: AgentType, features: int, spec: PolicySpec) -> None:
    """BadInput, naming the first thing that differs, unless the zip holds the network that the card describes."""
    tensors, data = _parts(content, name)
    expected = build(agent_type, features + len(ACCOUNT_FIELDS), spec).state_dict()
    for key in [*expected, *tensors]:
        if key not in tensors or key not in expected:
            there, where = ("the card's network", "zip") if key in expected else ("the zip", "card's network")
            raise BadInput(
                f"{name} does not fit its card: {there} has {key} and the {where} has not; an agent of type {agent_type}"
                f" with {features} features and hidden layers {list(spec.net_arch)} is described."
            )
        if tuple(tensors[key].shape) != tuple(expected[key].shape):
            why = (
                f"the action space of an agent of type {agent_type} is {ACTIONS[agent_type]}"
                if key.startswith(HEADS[agent_type]) and tensors[key].shape[:1] != expected[key].shape[:1]
                else f"{features} features and {len(ACCOUNT_FIELDS)} fields of the account go in"
            )
            raise BadInput(
                f"{name} does not fit its card: {key} is {_shape(tensors[key])} in the zip and {_shape(expected[key])} by the"
                f" card ({why})."
            )
        if not tensors[key].is_floating_point() or tensors[key].layout != expected[key].layout:
            raise BadInput(f"{name} cannot be used: {key} holds no plain floating-point numbers.")
        if not bool(tensors[key].isfinite().all()):
            raise BadInput(f"{name} cannot be used: {key} holds values that are not finite numbers.")
    _check_text(data, name, agent_type, spec)


def steps(content: bytes, name: str) -> int:
    """For how many steps it was trained, as its text says; 1 if it does not."""
    said = _parts(content, name)[1].get("num_timesteps")
    return said if isinstance(said, int) and said > 0 else 1


def _parts(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors by name, and the text of ``data`` (empty if there is none)."""
    import torch

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            if max(sizes.get("policy.pth", 0), sizes.get("data", 0)) > LARGEST:
                raise BadInput(
                    f"{name} holds more than {LARGEST // 1024**2} MB; it is no network that a card describes."
                )
            stored = archive.read("policy.pth")
            text = archive.read("data") if "data" in sizes else b"{}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle in its place torch says more than the sentence that follows
            tensors = torch.load(io.BytesIO(stored), map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, KeyError, RuntimeError, pickle.UnpicklingError, EOFError, NotImplementedError) as error:
        raise BadInput(
            f"{name} is not a zip of Stable-Baselines3 with plain tensors in policy.pth ({type(error).__name__});"
            " save the model with model.save and give that file."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise BadInput(f"{name} holds something else than tensors in policy.pth; save the model with model.save.")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = {}
    return tensors, data if isinstance(data, dict) else {}


def _check_text(data: dict[str, Any], name: str, agent_type: AgentType, spec: PolicySpec) -> None:
    """What no tensor shows: the activation, and the bounds of SAC's action."""
    kwargs = data.get("policy_kwargs")
    if data:
        said = str(kwargs.get("activation_fn", "")) if isinstance(kwargs, dict) else ""
        found = said.rstrip("'>").rpartition(".")[2].lower() or USUAL_ACTIVATION[agent_type]
        if found != spec.activation:
            raise BadInput(
                f"{name} does not fit its card: it was trained with {found} and the card says {spec.activation}."
            )
    space = data.get("action_space")
    if agent_type == AgentType.SAC and isinstance(space, dict) and "low" in space:
        bounds = tuple(str(space.get(end, "")).strip("[] ").rstrip(".") for end in ("low", "high"))
        if bounds != ("-1", "1"):
            raise BadInput(f"{name} acts from {bounds[0]} to {bounds[1]}; an agent of type SAC acts from -1 to 1.")


def _shape(tensor: Any) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
