"""A model is there whole or not at all, and loads only if it is what was trained."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from livetrading.adapters import registry as registries
from livetrading.adapters.home import Home
from livetrading.adapters.registry import BARS, CARD, TEST, ZIP, Registry
from livetrading.core.bars import bars_sha256, from_rows
from livetrading.core.card import PolicySpec
from livetrading.core.errors import BadInput, Conflict, Damaged, LivetradingError, NotFound, Refused, Unavailable
from livetrading.core.types import AgentType
from tests.doubles.models import WIDTH, make_card, make_zip

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
TEST_RESULT = {"equity": [["2019-01-02", 10_000.1]], "trades": [], "metrics": {"calmar_ratio": None}}


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(Home.resolve(str(tmp_path)))


@pytest.fixture
def register(registry, tmp_path):
    """Registers a small real model; what is given changes its card."""

    def build(agent_type: AgentType = AgentType.PPO, **changes):
        card, content, model = make_zip(agent_type)
        frame = bars()
        path = tmp_path / "given.zip"
        path.write_bytes(content)
        card = make_card(**{**vars(card), "bars_sha256": bars_sha256(frame), **changes})
        registry.register(card, path, frame, TEST_RESULT)
        return card, model

    return build


def bars() -> pd.DataFrame:
    third = 1.0 / 3.0
    return from_rows(
        [
            ["2010-01-04", 10.0, 10.0 + third, 9.0, 9.5 + third, 1e9 + 1.0, 0.0, 1.0],
            ["2010-01-05", np.nextafter(10.0, 11.0), 11.0, 0.1 + 0.2, 10.7, 123.0, 0.07, 7.0],
        ]
    )


def rewrite(registry: Registry, model_id: str, name: str, change) -> None:
    path = registry.home.model(model_id) / name
    path.write_bytes(change(path.read_bytes()))


def change_card(registry: Registry, model_id: str, **changes) -> None:
    rewrite(registry, model_id, CARD, lambda old: json.dumps({**json.loads(old), **changes}).encode())


@pytest.mark.parametrize("agent_type", AgentType)
def test_what_was_registered_comes_back_exactly(registry, register, agent_type):
    card, model = register(agent_type)
    loaded, policy = registry.load(card.model_id)
    assert loaded == card == registry.card(card.model_id)
    pd.testing.assert_frame_equal(registry.bars(card.model_id), bars(), check_exact=True)
    assert registry.test(card.model_id) == TEST_RESULT
    for row in np.random.default_rng(1).normal(size=(20, WIDTH)).astype(np.float32):
        assert policy.raw(row) == model.predict(row, deterministic=True)[0].item()


def test_models_are_listed_newest_first(registry, register):
    for version in ("v20251108_162433", "v20260101_000000", "v20240101_000000"):
        register(version=version, model_id=f"PPO_INTC_{version}")
    listed = [card.version for card in registry.list()]
    assert listed == ["v20260101_000000", "v20251108_162433", "v20240101_000000"]


def test_a_new_id_is_the_first_free_second(registry, register):
    first = registry.new_model_id(AgentType.PPO, "INTC", NOW)
    assert first == "PPO_INTC_v20251108_162433"
    register()
    assert registry.new_model_id(AgentType.PPO, "INTC", NOW) == "PPO_INTC_v20251108_162434"
    assert registry.new_model_id(AgentType.SAC, "INTC", NOW) == "SAC_INTC_v20251108_162433"


def test_an_id_is_never_given_to_a_second_model(registry, register):
    card, _ = register()
    before = (registry.home.model(card.model_id) / CARD).read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        register(seed=7)
    assert (registry.home.model(card.model_id) / CARD).read_bytes() == before
    assert os.listdir(registry.home.models) == [card.model_id]


@pytest.mark.parametrize("symbol", ["", "intc", "../../etc", "A/B", "TOOLONGNAME", "1A", "A\n", "A B"])
def test_a_symbol_that_is_no_file_name_is_refused(registry, symbol):
    with pytest.raises(BadInput, match="symbol"):
        registry.new_model_id(AgentType.PPO, symbol, NOW)


@pytest.mark.parametrize("symbol", ["A", "BRK.B", "BRK-B", "ABCDEFGHIJ"])
def test_every_ticker_can_name_a_model(registry, register, symbol):
    model_id = registry.new_model_id(AgentType.PPO, symbol, NOW)
    register(symbol=symbol, model_id=model_id)
    assert [card.symbol for card in registry.list()] == [symbol]


def test_an_unknown_model_says_how_to_list_them(registry):
    for call in (registry.load, registry.card, registry.bars, registry.test):
        with pytest.raises(NotFound, match="livetrading models"):
            call("PPO_INTC_v20251108_162433")
    with pytest.raises(LivetradingError):
        registry.load("../../secret")


def test_a_changed_byte_anywhere_in_the_zip_is_refused(registry, register):
    card, _ = register()
    path = registry.home.model(card.model_id) / ZIP
    sound = path.read_bytes()
    for at in (0, len(sound) // 2, len(sound) - 1):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        with pytest.raises(Damaged, match="model.zip"):
            registry.load(card.model_id)
    path.write_bytes(sound)
    registry.load(card.model_id)


REFUSALS = {
    "another feature set": ({"feature_set": "daily-0"}, "features daily-0"),
    "other rules": ({"rules_version": 999}, "version 999 of the rules"),
    "another torch": ({"packages": {**make_card().packages, "torch": "1.13.1"}}, "torch 1.13.1"),
    "another minor of a package before 1.0": ({"packages": {**make_card().packages, "ta": "0.1.0"}}, "ta 0.1.0"),
    "a package that it does not name": ({"packages": {}}, "stable-baselines3 none"),
}


@pytest.mark.parametrize(("changes", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_loading_is_refused_with_the_reason_for(registry, register, changes, reason):
    card, _ = register(**changes)
    with pytest.raises(Refused, match=reason):
        registry.load(card.model_id)
    assert registry.list() == [card]


def test_a_card_of_other_features_is_refused_naming_both(registry, register):
    card, _ = register()
    values = card.to_dict()
    renamed = ["momentum", *values["features"][1:]]
    change_card(registry, card.model_id, features=renamed)
    with pytest.raises(Refused, match=r"momentum.*this version computes.*return_1"):
        registry.load(card.model_id)


def test_a_patch_release_of_a_package_is_no_reason_to_refuse(registry, register):
    packages = make_card().packages
    major = packages["torch"].split(".")[0]
    card, _ = register(packages={**packages, "torch": f"{major}.0.1"})
    registry.load(card.model_id)


def test_a_network_of_another_size_is_refused(registry, register):
    card, _ = register(policy=PolicySpec((16, 16)))
    with pytest.raises(Damaged, match="does not hold the tensors"):
        registry.load(card.model_id)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"model_id": 1}', b"null"])
def test_an_unreadable_card_is_named_and_hides_no_other(registry, register, content):
    broken, _ = register()
    sound, _ = register(version="v20260101_000000", model_id="PPO_INTC_v20260101_000000")
    rewrite(registry, broken.model_id, CARD, lambda _: content)
    with pytest.raises(Damaged, match=broken.model_id):
        registry.load(broken.model_id)
    assert registry.list() == [sound]
    assert list(registry.damaged()) == [broken.model_id]


def test_a_card_in_another_models_directory_is_damage(registry, register):
    card, _ = register()
    other = "PPO_INTC_v20260101_000000"
    os.rename(registry.home.model(card.model_id), registry.home.model(other))
    with pytest.raises(Damaged, match="belongs to"):
        registry.load(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda old: old.replace(b"10.7", b"10.8"),
        lambda old: old[:-30],
        lambda old: b"",
        lambda old: b"\x00\xff",
        lambda old: old.replace(b"2010-01-05", b"someday"),
        lambda old: old.replace(b"123.0", b"many"),
    ],
)
def test_changed_bars_are_damage(registry, register, change):
    card, _ = register()
    rewrite(registry, card.model_id, BARS, change)
    with pytest.raises(Damaged, match=card.model_id):
        registry.bars(card.model_id)


@pytest.mark.parametrize("name", [ZIP, CARD, BARS, TEST])
def test_a_missing_file_is_damage_and_named(registry, register, name):
    card, _ = register()
    (registry.home.model(card.model_id) / name).unlink()
    read = {ZIP: registry.load, CARD: registry.card, BARS: registry.bars, TEST: registry.test}[name]
    with pytest.raises(Damaged, match=name):
        read(card.model_id)


def test_zip_and_bars_must_be_those_of_the_card(registry, register):
    for changes in ({"zip_sha256": "0" * 64}, {"bars_sha256": "0" * 64}):
        with pytest.raises(Damaged, match="not those of its card"):
            register(**changes)
    assert os.listdir(registry.home.models) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("after", [0, 2, 3])
def test_an_interrupted_registration_leaves_nothing(registry, register, monkeypatch, failure, after):
    calls = []
    real = registries.write_durably

    def write(path, data):
        if len(calls) == after:
            raise failure
        calls.append(path)
        real(path, data)

    monkeypatch.setattr(registries, "write_durably", write)
    with pytest.raises((KeyboardInterrupt, Unavailable)):
        register()
    assert os.listdir(registry.home.models) == []
    assert registry.list() == []


def test_what_a_killed_process_left_is_removed_by_the_next_registration(registry, register):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = registry.home.models / f".tmp-{dead.pid}-PPO_INTC_v20250101_000000"
    ours = registry.home.models / f".tmp-{os.getpid()}-PPO_INTC_v20250101_000001"
    for path in (left, ours):
        path.mkdir()
        (path / CARD).write_text("half")
    assert registry.list() == []
    register()
    assert not left.exists()
    assert ours.exists()


def test_cards_are_listed_without_torch(registry, register):
    register()
    code = (
        "import sys; from pathlib import Path\n"
        "from livetrading.adapters.home import Home\n"
        "from livetrading.adapters.registry import Registry\n"
        "r = Registry(Home(Path(sys.argv[1]))); c = r.list()[0]; r.bars(c.model_id); r.test(c.model_id)\n"
        "assert not {'torch', 'stable_baselines3', 'gymnasium'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(registry.home.root)], check=True)
