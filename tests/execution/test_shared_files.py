"""Shared files that another program spoiled are set aside, with one alarm that says what is lost."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.openings import Openings
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core.bars import bars_sha256
from livetrading.core.range_content import Content
from livetrading.core.types import AgentType
from livetrading.execution import file_repair, verification
from livetrading.execution.scheduler import Scheduler
from livetrading.execution.state import queries, requests
from tests.doubles.models import make_zip
from tests.doubles.series import generated

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
FIRST, LAST = date(2019, 1, 2), date(2020, 9, 30)
ALIEN = {
    "noise": "no json",
    "a list": "[]",
    "other tables": '{"x": {"1": {"y": 2}}}',
    "other documents": '{"%s": {"1": {"y": 2}}}',
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home.resolve(str(tmp_path / "home")))


def register(store: Store, opened: int, created: datetime) -> None:
    frame = generated(1, 40)
    version = f"v{created:%Y%m%d_%H%M%S}"
    card, content, _ = make_zip(AgentType.PPO)
    card = replace(card, version=version, model_id=f"PPO_INTC_{version}", bars_sha256=bars_sha256(frame))
    card = replace(card, opened=opened, created=created)
    path = store.home.root / "model.zip"
    path.write_bytes(content)
    Registry(store.home).register(card, path, frame, {})


@pytest.mark.parametrize("name", ["system", "requests", "openings"])
@pytest.mark.parametrize("how", ALIEN)
def test_what_no_version_writes_is_damage_and_set_aside_once(store: Store, name: str, how: str) -> None:
    text = ALIEN[how].replace("%s", "alarms" if name == "system" else name)
    store.path(name).write_text(text)
    assert [f"{name}.json" in p["text"] for p in verification.audit(store.home)["problems"]] == [True]
    (message,) = file_repair.shared(store, NOW)
    aside = store.path(name).with_name(f"{name}.json.damaged-20251108T162433Z")
    assert f"{name}.json was damaged and set aside as {aside.name}" in message and aside.read_text() == text
    assert file_repair.shared(store, NOW) == [] and not verification.audit(store.home)["problems"]


def test_further_tables_of_another_version_are_no_damage(store: Store) -> None:
    requests.submit(store, "emergency_stop", by="test", now=NOW)
    known = json.loads(store.path("requests").read_text())
    store.path("requests").write_text(json.dumps({**known, "later": {"1": {"y": 2}}}))
    store.path("system").write_text("{}")
    assert file_repair.shared(store, NOW) == []
    assert len(requests.pending(store)) == 1


def test_lost_openings_are_counted_again_from_the_models_cards(store: Store) -> None:
    register(store, 2, NOW)  # of an opening before it no model is left
    register(store, 3, NOW + timedelta(days=1))
    store.path("openings").write_text("garbage")
    (message,) = file_repair.shared(store, NOW)
    assert "counted anew from their own files in openings/ and from the models' cards" in message

    def looks(symbol: str, start: date, end: date) -> int:
        days = tuple(pd.bdate_range(start, end).date)
        return Openings(store).of(symbol, Content(days, np.random.default_rng(1).normal(0, 0.01, len(days)))).tries

    assert looks("INTC", FIRST, LAST) == 3
    assert looks("INTC", date(2021, 1, 4), date(2021, 9, 30)) == 0, "no range in common"
    assert looks("NVDA", FIRST, LAST) == 0


@pytest.mark.parametrize("name", ["system", "requests"])
def test_one_damaged_file_is_one_alarm(store: Store, name: str) -> None:
    scheduler = Scheduler(store.home, clock=lambda: NOW)
    scheduler.attempt(scheduler.beat)
    store.path(name).write_text("garbage")
    for work in (scheduler.answer_requests, scheduler.beat, scheduler.answer_requests, scheduler.beat):
        scheduler.attempt(work)
    (alarm,) = queries.system(store, NOW)["alarms"]
    assert f"{name}.json was damaged and set aside" in alarm["text"]
