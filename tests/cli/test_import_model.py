"""``import-model``: a zip of Stable-Baselines3 is checked against its card, tested and registered, or refused in a sentence."""

import base64
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stable_baselines3 import PPO, SAC

from livetrading.adapters.bars import open_source
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry, sha256
from livetrading.adapters.store import Store
from livetrading.cli.acting import utc_now
from livetrading.cli.main import main
from livetrading.core import import_card, lineage
from livetrading.core.features import PRICE_SET, SETS
from livetrading.core.observe import ACCOUNT_FIELDS, CLIP
from livetrading.core.types import AgentType
from livetrading.research.scaled import scaled_by, unscaled
from tests.doubles.models import make_zip

BOTH = pytest.mark.parametrize("agent_type", list(AgentType))
TRAIN, TEST = ("2012-01-03", "2017-12-29"), ("2018-01-02", "2019-12-31")


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return open_source("sample", Path()).daily("NVDA", now=utc_now()).frame


@pytest.fixture(scope="module")
def fitted(bars: pd.DataFrame) -> dict[str, list[float]]:
    market = unscaled(bars)
    rows = market.decidable(pd.Timestamp(TRAIN[0]).date(), pd.Timestamp(TRAIN[1]).date())
    return scaled_by(market, rows)[1].to_dict()


@pytest.fixture
def card(fitted: dict[str, Any]) -> dict[str, Any]:
    return {
        "agent_type": "PPO",
        "symbol": "NVDA",
        "feature_set": "daily-1",
        "scaler": fitted,
        "net_arch": [8, 8],
        "activation": "tanh",
        "train": dict(zip(("start", "end"), TRAIN, strict=True)),
        "test": dict(zip(("start", "end"), TEST, strict=True)),
        "source": "sample",
    }


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    def ask(content: bytes | None, card: Any, *more: str) -> tuple[int, dict[str, Any]]:
        zip_path, card_path = tmp_path / "model.zip", tmp_path / "their-card.json"
        if content is not None:
            zip_path.write_bytes(content)
        card_path.write_text(card if isinstance(card, str) else json.dumps(card))
        words = ["import-model", str(zip_path), "--card", str(card_path), *more]
        code = main(["--home", str(tmp_path / "home"), "--json", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, json.loads(said.out)

    return ask


def nothing_left(tmp_path: Path) -> None:
    home = Home.resolve(str(tmp_path / "home"))
    assert not home.models.exists() or list(home.models.iterdir()) == []
    assert not Store(home).read("openings").get("openings")


@BOTH
def test_a_model_of_elsewhere_is_tested_counted_and_decides_as_its_network_does(
    agent_type: AgentType, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    _, content, model = make_zip(agent_type, seed=3)
    card |= {"agent_type": str(agent_type), "activation": "tanh" if agent_type == AgentType.PPO else "relu"}
    code, done = asked(content, card)
    assert (code, done["opened"]) == (0, 1), done
    registry = Registry(Home.resolve(str(tmp_path / "home")))
    stored, policy = registry.load(done["model_id"])
    assert (stored.lineage["kind"], stored.test.start.isoformat()) == ("imported", TEST[0])
    assert done["test"]["sessions"] == stored.test.sessions and done["test"]["sharpe_ratio"] is not None
    rng = np.random.default_rng(0)
    for obs in rng.normal(0, 2, (200, 18)).clip(-5, 5).astype(np.float32):
        theirs = model.predict(obs, deterministic=True)[0]
        assert policy.raw(obs) == pytest.approx(float(np.asarray(theirs).reshape(-1)[0]), abs=1e-5)
    assert asked(content, card)[1]["opened"] == 2


def test_the_card_of_another_home_imports_its_model(tmp_path: Path, card: dict[str, Any], asked: Any) -> None:
    _, content, _ = make_zip(AgentType.PPO, seed=4)
    first = asked(content, card)[1]["model_id"]
    registry = Registry(Home.resolve(str(tmp_path / "home")))
    whole, content = registry.card(first), (registry.home.model(first) / "model.zip").read_bytes()
    for given in (whole.to_dict(), import_card.template(whole)):
        code, again = asked(content, given)
        assert code == 0, again
        assert again["model_id"] != first and registry.test(again["model_id"]) == registry.test(first)


def test_an_imported_model_is_deployed_like_any_other(tmp_path: Path, card: dict[str, Any], asked: Any, capsys) -> None:
    _, content, _ = make_zip(AgentType.PPO, seed=4)
    model_id = asked(content, card)[1]["model_id"]
    code = main(["--home", str(tmp_path / "home"), "--json", "deploy", model_id, "--mode", "replay"])
    assert code == 0, capsys.readouterr()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"net_arch": [16, 8]}, "8 x 18 in the zip and 16 x 18 by the card"),
        ({"net_arch": [8]}, "mlp_extractor"),
        ({"activation": "relu"}, "trained with tanh"),
        ({"agent_type": "SAC"}, "type SAC"),
        ({"feature_set": PRICE_SET}, "12 numbers"),
        ({"feature_set": PRICE_SET, "scaler": {"mean": [0] * 12, "std": [1] * 12}}, "8 x 16 by the card"),
        ({"feature_set": "other"}, "this version computes"),
        ({"features": list(reversed(SETS["daily-1"]))}, "this version computes"),
        ({"scaler": {"mean": [0.0] * 14, "std": [0.0] * 14}}, "positive"),
        ({"scaler": {"mean": [2e12] * 14, "std": [1.0] * 14}}, "within ±1e+12"),
        ({"scaler": {"mean": [0.0] * 14, "std": [1e13] * 14}}, "to 1e+12"),
        ({"scaler": {"mean": [0.0] * 14, "std": [1e-13] * 14}}, "from 1e-12"),
        ({"scaler": {"mean": [10**400] * 14, "std": [1] * 14}}, "14 numbers"),
        ({"trials": 1_000_000_000}, "trials is 1,000,000,000; it must be from 1 to 10,000"),
        ({"trials": 10_001}, "from 1 to 10,000"),
        ({"opened": 10_001}, "opened is 10,001"),
        ({"zip_sha256": "a" * 64}, "SHA-256"),
        ({"train": {"start": TRAIN[0], "end": TEST[0]}}, "must come after"),
        ({"test": {"start": "2018-01-02", "end": "2018-02-02"}}, "126 are needed"),
        ({"test": {"start": "2018-01-02", "end": "2031-02-03"}}, "2031-02-03"),
        ({"first_bar": "1990-01-02"}, "first_bar"),
        ({"symbol": "nvda"}, "symbol"),
        ({"rules_version": 99}, "99"),
        ({"colour": "blue"}, "colour"),
        ({"members": [{"seed": 1, "zip_sha256": "a" * 64}, {"seed": 2, "zip_sha256": "b" * 64}]}, "2 networks"),
    ],
)
def test_a_card_that_does_not_fit_is_one_sentence_and_nothing_is_registered(
    change: dict[str, Any], said: str, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    _, content, _ = make_zip(AgentType.PPO)
    code, answer = asked(content, card | change)
    assert code == 1 and said in answer["error"], answer
    nothing_left(tmp_path)


@pytest.mark.parametrize("name", ["agent_type", "symbol", "scaler", "train", "test", "net_arch"])
def test_a_card_without_what_is_needed_names_it(name: str, tmp_path: Path, card: dict[str, Any], asked: Any) -> None:
    del card[name]
    code, answer = asked(make_zip(AgentType.PPO)[1], card)
    assert code == 1 and name in answer["error"]
    nothing_left(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "5", '{"agent_type": "PPO"'])
def test_a_card_that_is_no_card_is_named(text: str, tmp_path: Path, asked: Any) -> None:
    code, answer = asked(make_zip(AgentType.PPO)[1], text)
    assert code == 1 and "their-card.json" in answer["error"]
    nothing_left(tmp_path)


class Trap:
    """Unpickled, it would write a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def spoilt(content: bytes, name: str, data: bytes) -> bytes:
    """The zip with another content of one of its files."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for each in old.namelist():
            new.writestr(each, data if each == name else old.read(each))
    return target.getvalue()


def test_no_pickle_of_the_zip_is_run(tmp_path: Path, card: dict[str, Any], asked: Any) -> None:
    content, sprung = make_zip(AgentType.PPO)[1], tmp_path / "sprung"
    trap = pickle.dumps(Trap(str(sprung)), protocol=2)
    code, answer = asked(spoilt(content, "policy.pth", trap), card)
    assert code == 1 and "tensors" in answer["error"]
    nothing_left(tmp_path)
    code, answer = asked(trapped(content, trap), card)
    assert code == 0, answer
    assert not sprung.exists()


def trapped(content: bytes, trap: bytes) -> bytes:
    """A zip of a good network that runs ``trap`` when SB3 loads it, and has a file that SB3 does not know."""
    data = {"policy_class": {":type:": "x", ":serialized:": base64.b64encode(trap).decode()}}
    spoiled = spoilt(spoilt(content, "data", json.dumps(data).encode()), "pytorch_variables.pth", trap)
    target = io.BytesIO(spoiled)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("more.pkl", trap)
    return target.getvalue()


@BOTH
def test_what_is_stored_of_a_zip_is_its_numbers_alone(
    agent_type: AgentType, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    _, content, model = make_zip(agent_type, seed=5)
    card |= {"agent_type": str(agent_type), "activation": "tanh" if agent_type == AgentType.PPO else "relu"}
    given = trapped(content, pickle.dumps(Trap(str(tmp_path / "sprung")), protocol=2))
    code, done = asked(given, card)
    assert code == 0, done
    registry = Registry(Home.resolve(str(tmp_path / "home")))
    stored = (registry.home.model(done["model_id"]) / "model.zip").read_bytes()
    kept = registry.card(done["model_id"])
    assert kept.zip_sha256 == kept.members[0].zip_sha256 == sha256(stored)
    assert kept.lineage["zips_sha256"] == [sha256(given)] and sha256(given)[:12] in lineage.words(kept)
    assert b"sprung" not in stored and "more.pkl" not in zipfile.ZipFile(io.BytesIO(stored)).namelist()
    loaded = {AgentType.PPO: PPO, AgentType.SAC: SAC}[agent_type].load(io.BytesIO(stored), device="cpu")
    assert not (tmp_path / "sprung").exists()
    for name, tensor in model.policy.state_dict().items():
        assert np.array_equal(loaded.policy.state_dict()[name].numpy(), tensor.numpy()), name
    again = asked(given, card)[1]["model_id"]
    assert registry.card(again).zip_sha256 == kept.zip_sha256, "the same tensors are the same zip"


def test_a_pickle_in_place_of_the_tensors_is_one_sentence(
    tmp_path: Path, card: dict[str, Any], asked: Any, recwarn: pytest.WarningsRecorder
) -> None:
    trap = pickle.dumps(Trap(str(tmp_path / "sprung")), protocol=4)
    code, answer = asked(spoilt(make_zip(AgentType.PPO)[1], "policy.pth", trap), card)
    assert code == 1 and "\n" not in answer["error"]
    assert [str(warning.message) for warning in recwarn if "pickle" in str(warning.message)] == []


@pytest.mark.parametrize(("agent_type", "head"), [(AgentType.PPO, "action_net"), (AgentType.SAC, "actor.mu")])
def test_a_head_of_another_width_names_the_action_space(
    agent_type: AgentType, head: str, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    import torch

    card |= {"agent_type": str(agent_type), "activation": "tanh" if agent_type == AgentType.PPO else "relu"}
    tensors = tensors_of(content := make_zip(agent_type)[1])
    height = 1 if agent_type == AgentType.PPO else 2
    tensors[f"{head}.weight"], tensors[f"{head}.bias"] = torch.zeros(height, 8), torch.zeros(height)
    code, answer = asked(spoilt(content, "policy.pth", written(tensors)), card)
    named = "Discrete(3): SELL 0, HOLD 1, BUY 2" if agent_type == AgentType.PPO else "Box(-1, 1, (1,))"
    assert code == 1 and named in answer["error"], answer
    nothing_left(tmp_path)


@pytest.mark.parametrize("kind", ["whole numbers", "sparse", "too large for float32"])
def test_tensors_that_are_no_plain_numbers_are_refused(
    kind: str, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    tensors, key = tensors_of(content := make_zip(AgentType.PPO)[1]), "action_net.weight"
    spoil = {
        "whole numbers": lambda tensor: tensor.int(),
        "sparse": lambda tensor: tensor.to_sparse(),
        "too large for float32": lambda tensor: tensor.double() + 1e300,
    }[kind]
    tensors[key] = spoil(tensors[key])
    code, answer = asked(spoilt(content, "policy.pth", written(tensors)), card)
    assert code == 1 and "number" in answer["error"], answer
    nothing_left(tmp_path)


def tensors_of(content: bytes) -> dict[str, Any]:
    import torch

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found: dict[str, Any] = torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)
    return found


def written(tensors: dict[str, Any]) -> bytes:
    import torch

    target = io.BytesIO()
    torch.save(tensors, target)
    return target.getvalue()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_zip_of_a_model_is_refused(
    content: bytes, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    code, answer = asked(content, card)
    assert code == 1 and "model.zip" in answer["error"]
    nothing_left(tmp_path)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, card: dict[str, Any], asked: Any) -> None:
    tensors = tensors_of(content := make_zip(AgentType.PPO)[1])
    tensors["action_net.bias"][0] = float("nan")
    code, answer = asked(spoilt(content, "policy.pth", written(tensors)), card)
    assert code == 1 and "action_net.bias" in answer["error"]
    nothing_left(tmp_path)


def test_a_file_that_is_not_there_is_named(card: dict[str, Any], asked: Any) -> None:
    code, answer = asked(None, card)
    assert code == 1 and "model.zip" in answer["error"]


GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "MODELS.md").read_text()


def test_what_the_guide_says_to_train_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = GUIDE.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(code.replace("learn(20_000)", "learn(1)").replace('device="cpu"', 'device="cpu", n_steps=64'), {})
    assert main(["--home", "home", "import-model", "model.zip", "--card", "card.json", "--json"]) == 0, (
        capsys.readouterr()
    )
    assert json.loads(capsys.readouterr().out)["model_id"].startswith("PPO_NVDA_")


def test_the_guide_names_what_a_network_sees_in_its_order() -> None:
    sees = GUIDE.partition("**What to train.**")[2]
    places = [sees.index(f"`{name}`") for name in (*SETS["daily-1"], *ACCOUNT_FIELDS)]
    assert places == sorted(places) and SETS["daily-1"][: len(SETS[PRICE_SET])] == SETS[PRICE_SET]
    assert f"Box(-{CLIP}, {CLIP}, (n + {len(ACCOUNT_FIELDS)},), float32)" in sees


def test_the_template_is_a_card_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "import-model", "--template"]) == 0
    given = import_card.parse(json.loads(capsys.readouterr().out))
    assert given.features == SETS["daily-1"] and given.agent_type == AgentType.PPO
