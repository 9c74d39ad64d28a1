"""The policy gives SB3's own answers and runs no pickle."""

import base64
import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from livetrading.adapters.policy import build, load_policy, policy_of
from livetrading.core.card import PolicySpec
from livetrading.core.errors import BadInput, Damaged
from livetrading.core.types import AgentType
from tests.doubles.models import WIDTH, make_card, make_zip


@pytest.fixture(params=list(AgentType))
def agent_type(request) -> AgentType:
    return request.param


class Trap:
    """A pickle that leaves a file behind wherever it is loaded."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


def observations(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (count, WIDTH)).astype(np.float32)


def test_answers_equal_the_bits_of_sb3s_predict(agent_type):
    network = build(agent_type, WIDTH, PolicySpec())
    policy = policy_of(agent_type, network)
    seen = set()
    for row in observations(400):
        theirs = network.predict(row, deterministic=True)[0].item()
        assert policy.raw(row) == theirs
        seen.add(theirs)
    assert len(seen) > 1


def test_logits_apart_by_one_bit_are_decided_as_sb3_decides():
    network = build(AgentType.PPO, WIDTH, PolicySpec())
    policy = policy_of(AgentType.PPO, network)
    import torch

    near = np.nextafter(np.float32(1), np.float32(2))
    for bias in ([1, near, 0], [near, 1, 1], [0, 1, near], [1, 1, 1]):
        with torch.no_grad():
            network.action_net.weight.zero_()
            network.action_net.bias.copy_(torch.tensor(bias))
        row = observations(1)[0]
        assert policy.raw(row) == network.predict(row, deterministic=True)[0].item()


def test_a_loaded_policy_answers_as_the_model_that_was_saved(agent_type):
    card, content, model = make_zip(agent_type)
    policy = load_policy(card, [content])
    for row in observations(50):
        assert policy.raw(row) == model.predict(row, deterministic=True)[0].item()


def test_loading_never_unpickles_even_a_hostile_zip(agent_type, tmp_path, monkeypatch):
    card, content, model = make_zip(agent_type)
    trap = tmp_path / "sprung"
    hostile = with_member(content, "data", hostile_data(str(trap)))

    def refuse(*args, **kwargs):
        raise AssertionError("something was unpickled")

    import _pickle

    for module, name in [(m, n) for m in (pickle, _pickle) for n in ("load", "loads", "Unpickler")]:
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(pickle, "_Unpickler", refuse)
    policy = load_policy(card, [hostile])
    assert policy.raw(observations(1)[0]) == model.predict(observations(1)[0], deterministic=True)[0].item()
    assert not trap.exists()


def test_the_hostile_zip_of_these_tests_does_harm_where_sb3_loads_it(tmp_path):
    """Otherwise the test above would prove nothing."""
    from stable_baselines3 import PPO

    _, content, _ = make_zip(AgentType.PPO)
    trap = tmp_path / "sprung"
    with pytest.raises((TypeError, AttributeError, ValueError, KeyError, AssertionError)):
        PPO.load(io.BytesIO(with_member(content, "data", hostile_data(str(trap)))))
    assert trap.exists()


def test_a_pickle_in_place_of_the_tensors_is_damage_and_does_not_run(tmp_path):
    card, content, _ = make_zip(AgentType.PPO)
    trap = tmp_path / "sprung"
    with pytest.raises(Damaged, match="train it again"):
        load_policy(card, [with_member(content, "policy.pth", pickle.dumps(Trap(str(trap)), protocol=2))])
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_what_is_no_zip_is_damage(content):
    with pytest.raises(Damaged, match="train it again"):
        load_policy(make_card(), [content])


def test_tensors_of_another_network_are_damage():
    _, content, _ = make_zip(AgentType.PPO)
    with pytest.raises(Damaged, match="does not hold the tensors"):
        load_policy(make_card(features=tuple("abcdefgh"), policy=PolicySpec((8, 8))), [content])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("member", [0, 1])
def test_a_weight_of_any_member_that_is_no_finite_number_is_damage(agent_type, wrong, member):
    import torch

    card, content, model = make_zip(agent_type)
    layer = model.policy.actor.mu if agent_type == AgentType.SAC else model.policy.action_net
    with torch.no_grad():
        layer.weight[0, 0] = wrong
    spoilt = io.BytesIO()
    model.save(spoilt)
    contents = [content, content]
    contents[member] = spoilt.getvalue()
    with pytest.raises(Damaged, match="no finite number: train it again"):
        load_policy(card, contents)


@pytest.mark.parametrize(
    "obs",
    [
        np.zeros(WIDTH + 1, np.float32),
        np.zeros((1, WIDTH), np.float32),
        np.zeros(WIDTH),
        np.full(WIDTH, np.nan, np.float32),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(obs):
    policy = policy_of(AgentType.PPO, build(AgentType.PPO, WIDTH, PolicySpec()))
    with pytest.raises(BadInput, match=f"{WIDTH} finite float32"):
        policy.raw(obs)


def test_building_leaves_torchs_random_numbers_alone(agent_type):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build(agent_type, WIDTH, PolicySpec())
    assert torch.equal(torch.rand(3), expected)


def hostile_data(target: str) -> bytes:
    trap = base64.b64encode(pickle.dumps(Trap(target))).decode()
    return json.dumps({"policy_class": {":type:": "x", ":serialized:": trap}}).encode()


def with_member(content: bytes, name: str, value: bytes) -> bytes:
    """The zip with one member replaced."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            new.writestr(member, value if member == name else old.read(member))
    return target.getvalue()
