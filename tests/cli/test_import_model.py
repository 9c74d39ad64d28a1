"""``import-model``: a zip of Stable-Baselines3 is checked against its card, tested and registered, or refused in a sentence."""

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

from livetrading.adapters.bars import open_source
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.cli.acting import utc_now
from livetrading.cli.main import main
from livetrading.core import import_card
from livetrading.core.features import PRICE_SET, SETS
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
    whole = registry.card(first)
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
    import base64

    data = {"policy_class": {":type:": "x", ":serialized:": base64.b64encode(trap).decode()}}
    assert asked(spoilt(content, "data", json.dumps(data).encode()), card)[0] == 0
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_zip_of_a_model_is_refused(
    content: bytes, tmp_path: Path, card: dict[str, Any], asked: Any
) -> None:
    code, answer = asked(content, card)
    assert code == 1 and "model.zip" in answer["error"]
    nothing_left(tmp_path)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, card: dict[str, Any], asked: Any) -> None:
    import torch

    content = make_zip(AgentType.PPO)[1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        tensors = torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)
    tensors["action_net.bias"][0] = float("nan")
    target = io.BytesIO()
    torch.save(tensors, target)
    code, answer = asked(spoilt(content, "policy.pth", target.getvalue()), card)
    assert code == 1 and "action_net.bias" in answer["error"]
    nothing_left(tmp_path)


def test_a_file_that_is_not_there_is_named(card: dict[str, Any], asked: Any) -> None:
    code, answer = asked(None, card)
    assert code == 1 and "model.zip" in answer["error"]


def test_the_template_is_a_card_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "import-model", "--template"]) == 0
    given = import_card.parse(json.loads(capsys.readouterr().out))
    assert given.features == SETS["daily-1"] and given.agent_type == AgentType.PPO
