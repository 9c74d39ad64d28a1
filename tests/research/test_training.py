"""Training splits in time, gives the same model for a seed, and leaves all or nothing."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from livetrading.adapters.bars import BarSet, open_source
from livetrading.adapters.home import Home
from livetrading.adapters.registry import ZIP, Registry
from livetrading.adapters.store import Store
from livetrading.core import market as markets
from livetrading.core.card import PolicySpec
from livetrading.core.errors import BadInput
from livetrading.core.types import AgentType, Terms
from livetrading.research import jobs, training
from livetrading.research.evaluation import evaluate
from livetrading.research.fitting import HYPERPARAMETERS, Hyperparameters, stored
from livetrading.research.progress import Progress
from livetrading.research.training import Trained, TrainRequest, prepare, split, train

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
END = date(2018, 1, 31)


@pytest.fixture(scope="session")
def barset(tmp_path_factory) -> BarSet:
    return open_source("sample", tmp_path_factory.mktemp("cache")).daily("NVDA", now=NOW)


class Place:
    """A home with what training needs of it."""

    def __init__(self, root: Path) -> None:
        self.home = Home.resolve(str(root))
        self.registry, self.store = Registry(self.home), Store(self.home)
        self.news: list[Progress] = []

    def train(self, request: TrainRequest, barset: BarSet, progress=None) -> Trained:
        return train(
            request,
            barset,
            registry=self.registry,
            store=self.store,
            clock=lambda: NOW,
            progress=progress or self.news.append,
        )

    def models(self) -> list[str]:
        return os.listdir(self.home.models)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def request(agent_type=AgentType.PPO, **changes) -> TrainRequest:
    return TrainRequest("NVDA", agent_type, **{"timesteps": 2_000, "end": END, "seeds": 2, "folds": 0, **changes})


@pytest.fixture(scope="module", params=list(AgentType))
def trained(request, tmp_path_factory, barset):
    place = Place(tmp_path_factory.mktemp("home"))
    wanted = TrainRequest("NVDA", request.param, timesteps=2_000, end=END, seed=3, seeds=2, folds=0)
    return place, place.train(wanted, barset)


def tensors(place: Place, model_id: str) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(place.home.model(model_id) / ZIP) as archive:
        return torch.load(io.BytesIO(archive.read("policy.pth")), weights_only=True)


def test_a_seed_gives_the_same_network_and_another_seed_another(trained, barset, tmp_path):
    place, first = trained
    again, other = Place(tmp_path / "again"), Place(tmp_path / "other")
    same = again.train(request(first.card.agent_type, seed=3), barset)
    different = other.train(request(first.card.agent_type, seed=4), barset)
    ours = tensors(place, first.card.model_id)
    assert all(torch.equal(ours[k], v) for k, v in tensors(again, same.card.model_id).items())
    assert not all(torch.equal(ours[k], v) for k, v in tensors(other, different.card.model_id).items())
    assert same.card.metrics == first.card.metrics
    assert same.card.members == first.card.members, "the zips are the same bytes"


def test_the_registered_model_repeats_its_own_test(trained):
    place, result = trained
    card, policy = place.registry.load(result.card.model_id)
    market = markets.build(place.registry.bars(card.model_id), card.scaler)
    bars = range(market.index(card.test.start), market.index(card.test.end) + 1)
    repeated = evaluate(market, bars, card.agent_type, policy.raw, Terms())
    assert repeated.run.rows == result.report.test.run.rows
    assert repeated.summary().items() <= card.metrics.items()
    assert place.registry.test(card.model_id)["equity"] == [list(p) for p in repeated.document()["equity"]]


def test_the_card_tells_what_was_done(trained, barset):
    _, result = trained
    card = result.card
    decided = [stamp.date() for stamp in barset.frame.index[500:] if stamp.date() <= END]
    cut = int(0.8 * len(decided))
    assert (card.train.start, card.train.end, card.train.sessions) == (decided[0], decided[cut - 1], cut)
    assert (card.test.start, card.test.end) == (decided[cut], decided[-1])
    assert card.test.sessions == len(decided) - cut
    assert card.first_bar == barset.frame.index[0].date()
    assert (card.bars_sha256, card.source, card.source_note) == (barset.sha256, "sample", barset.note)
    assert (card.seed, card.timesteps, card.trials, card.created) == (3, 2_000, 1, NOW)
    assert result.to_dict()["model_id"] == card.model_id
    promised = {"sharpe_ratio", "total_return_pct", "max_drawdown_pct", "win_rate_pct", "num_trades", "start", "end"}
    assert promised <= set(result.to_dict()["test"])


def test_the_test_part_changes_nothing_of_what_is_learned(place, tmp_path, barset):
    """Other prices after the training part: the same scaler and the same network."""
    first = place.train(request(seed=3), barset)
    frame = barset.frame.copy()
    after = frame.index > np.datetime64(first.card.train.end)
    frame.loc[after, ["open", "high", "low", "close"]] *= 2.0
    changed = BarSet("NVDA", frame, "csv:x", "")
    second = Place(tmp_path / "second")
    result = second.train(request(seed=3), changed)
    assert result.card.scaler == first.card.scaler
    ours, theirs = tensors(place, first.card.model_id), tensors(second, result.card.model_id)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_openings_of_one_range_are_counted_on_the_cards(place, barset):
    counts = [place.train(request(timesteps=32), barset).card.opened for _ in range(3)]
    assert counts == [1, 2, 3]
    assert len(place.models()) == 3


def test_fewer_steps_than_one_update_are_warned_about(place, barset):
    few, enough = (place.train(request(timesteps=steps, folds=0), barset).to_dict() for steps in (499, 500))
    said = "499 steps are less than the 500 of one update"
    assert [text.startswith(said) for text in few["warnings"]].count(True) == 1
    assert few["warnings"][:-1] == enough["warnings"]


def test_a_question_about_the_bars_is_a_warning(place, barset):
    asked = replace(barset, question="Are its prices adjusted?")
    plain, doubted = (place.train(request(folds=0), bars).to_dict()["warnings"] for bars in (barset, asked))
    assert doubted == [*plain, "NVDA: Are its prices adjusted?"]


def test_progress_rises_from_nothing_to_all(trained):
    news = trained[0].news
    shares = [n.share for n in news]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0.0, 1.0)
    assert [n.stage for n in news[-2:]] == ["Testing", "Done"]
    assert all(0 <= n.steps <= n.total_steps == 2_000 for n in news)


def test_630_sessions_are_enough_and_629_are_not():
    parts = split(range(500, 1130), "X")
    assert (len(parts.train), len(parts.test)) == (504, 126)
    with pytest.raises(BadInput, match="503 to train on .504 needed. and 126 to test on"):
        split(range(500, 1129), "X")
    with pytest.raises(BadInput, match="has 0 sessions"):
        split(range(500, 500), "X")


def test_a_range_too_short_is_refused_before_anything_is_written(place, barset):
    with pytest.raises(BadInput, match="choose a wider range"):
        place.train(request(start=date(2017, 6, 1)), barset)
    assert place.models() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"timesteps": 0},
        {"timesteps": -5},
        {"timesteps": 10**12},
        {"seed": -1},
        {"seed": 2**32},
        {"start": date(2020, 1, 2), "end": date(2019, 1, 2)},
    ],
)
def test_a_request_that_cannot_be_met_is_refused(wrong):
    with pytest.raises(BadInput):
        request(**wrong)


@pytest.mark.parametrize("steps", [1, 2, 17, 250, 2049])
def test_any_number_of_steps_trains(place, barset, steps):
    assert place.train(request(timesteps=steps), barset).card.timesteps == steps


def test_one_step_of_sac_trains(place, barset):
    assert place.train(request(AgentType.SAC, timesteps=1), barset).card.timesteps == 1


@pytest.mark.parametrize("stage", ["Fitting", "Testing"])
def test_an_interruption_at_any_stage_leaves_nothing(place, barset, stage):
    def interrupt(news: Progress) -> None:
        if news.stage == stage and (news.steps or stage == "Fitting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.train(request(), barset, interrupt)
    assert place.models() == []


@pytest.mark.parametrize("name", ["ensemble", "judged", "versions"])
def test_a_failure_at_any_stage_leaves_nothing(place, barset, monkeypatch, name):
    def fail(*args, **kwargs):
        raise BadInput("no luck: try again.")

    monkeypatch.setattr(training, name, fail)
    with pytest.raises(BadInput, match="no luck"):
        place.train(request(), barset)
    assert place.models() == []


ENDLESS = """
import sys
from datetime import date
from livetrading.adapters.bars import open_source
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core.types import AgentType
from livetrading.research import jobs
from livetrading.research.training import TrainRequest, train

home = Home.resolve(sys.argv[1])
store = Store(home)
with jobs.running(store, "train", "NVDA", sys.argv[2], 50_000_000) as job:
    def tell(news):
        job(news)
        print(news.steps, flush=True)

    train(
        TrainRequest("NVDA", AgentType(sys.argv[2]), timesteps=50_000_000, end=date(2018, 1, 31), seeds=2, folds=0),
        open_source("sample", home.cache).daily("NVDA", now=jobs.utc_now()),
        registry=Registry(home), store=store, clock=jobs.utc_now, progress=tell,
    )
"""


@pytest.mark.parametrize(
    ("signum", "agent_type", "state"),
    [
        (signal.SIGINT, "PPO", "cancelled"),
        (signal.SIGINT, "SAC", "cancelled"),
        (signal.SIGTERM, "PPO", "cancelled"),
        (signal.SIGKILL, "PPO", "failed"),
    ],
)
def test_a_training_that_is_stopped_leaves_no_model(place, signum, agent_type, state):
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(place.home.root), agent_type],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert any(int(steps) > 0 for steps in process.stdout)  # it learns
        assert jobs.jobs(place.store)[0]["state"] == "running"
        process.send_signal(signum)
        errors = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode != 0, errors
    assert jobs.jobs(place.store)[0]["state"] == state
    assert place.models() == []


@pytest.mark.parametrize(("agent_type", "steps"), [(AgentType.PPO, 20_000), (AgentType.SAC, 20_000)])
def test_what_can_be_learned_is_learned(barset, agent_type, steps):
    """One feature tells tomorrow's return: trading by it beats holding."""
    ready = prepare(request(agent_type, timesteps=steps), barset)
    market, parts = ready.market, ready.parts
    close = market.columns.close
    scaled = np.zeros_like(market.scaled)
    scaled[:-1, 0] = np.sign(close[1:] * market.columns.split[1:] / close[:-1] - 1.0)
    market = replace(market, scaled=scaled)
    found = ready.procedure(market, parts.train, Terms(), 0)
    result = evaluate(market, parts.train, agent_type, found.raw, Terms())
    always = evaluate(market, parts.train, AgentType.PPO, lambda obs: 2, Terms())
    assert result.run.trades
    assert result.measures["sharpe_ratio"] > always.measures["sharpe_ratio"] + 0.5


def test_the_procedure_of_a_stored_model_is_read_from_its_card(trained):
    card = trained[1].card
    searched = Hyperparameters(
        PolicySpec((32,), "relu"), replace(HYPERPARAMETERS[card.agent_type].rates, gamma=0.5), risk=2.0, pauses=False
    )
    changed = replace(card, policy=searched.policy, hyperparameters=searched.to_dict())
    assert stored(changed) == searched
    assert stored(replace(card, hyperparameters={})) == HYPERPARAMETERS[card.agent_type]
    with pytest.raises(BadInput, match="batch_size, which a training of this version does not know"):
        stored(replace(card, hyperparameters={"batch_size": 64}))
