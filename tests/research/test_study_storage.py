"""A study in its storage, embedded and on a server: begun once, each trial ended once, nothing lost, no password told."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from sqlalchemy import select, update

from livetrading.core.errors import BadInput, Conflict, Damaged, NotFound, Refused, Unavailable
from livetrading.research.study import address, catalogue, claims, content, record, search, versions
from livetrading.research.study.catalogue import Study
from livetrading.research.study.claims import BEATS, Row, Worker
from livetrading.research.study.proposals import Ended
from livetrading.research.study.space import distributions, usual
from livetrading.research.study.storage import Storage
from livetrading.research.study.tables import BARS
from livetrading.research.study.worker import Bench
from tests.doubles import postgres
from tests.doubles.studies import NOW, barset, definition, outcome

SPACE, USUAL = distributions(("PPO",), ("all", "price")), usual(("PPO",), ("all", "price"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if why := postgres.missing():
        pytest.skip(why)
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    opened = Storage(url if request.param == "sqlite" else request.getfixturevalue("server"), 1)
    yield opened
    opened.close()


@pytest.fixture
def study(storage: Storage, request: pytest.FixtureRequest) -> Study:
    return catalogue.begin(
        storage, f"of-{request.node.name.replace('[', '.').strip(']')}"[:80], definition(), [barset()]
    )


def me() -> Worker:
    return Worker.this()


def elsewhere() -> Worker:
    """A worker of another machine, of which nothing is known but its beats."""
    return Worker("elsewhere", 1, 1, "0")


def grow_old(study: Study, row: Row) -> None:
    """The last beat of a trial was an hour ago, by the storage's own clock."""
    mine = BEATS.c.trial_id == row.trial_id
    with study.storage.engine.begin() as connection:
        last = connection.execute(select(BEATS.c.heartbeat).where(mine)).scalar_one()
        connection.execute(update(BEATS).where(mine).values(heartbeat=last - timedelta(hours=1)))


def test_a_study_is_begun_once_and_its_bars_come_back_to_the_bit(storage: Storage, study: Study) -> None:
    again = catalogue.begin(storage, study.name, definition(), [barset()])
    assert again.id == study.id and again.definition == definition()
    assert [row.number for row in claims.rows(study)] == [0, 1, 2, 3]
    assert {row.state for row in claims.rows(study)} == {TrialState.WAITING}
    (found,) = study.series()
    assert found.sha256 == barset().sha256 and found.frame.equals(barset().frame)
    assert study.name in catalogue.open_names(storage) and not catalogue.is_empty(storage)


def test_many_processes_that_begin_a_study_at_once_begin_one(storage: Storage, request: pytest.FixtureRequest) -> None:
    name = f"race-{storage.url.drivername.partition('+')[0]}"
    failed: list[BaseException] = []

    def begin() -> None:
        try:
            catalogue.begin(storage, name, definition(trials=3), [barset()])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert [row.number for row in claims.rows(catalogue.find(storage, name))] == [0, 1, 2]


def test_a_name_that_is_taken_says_by_what(storage: Storage, study: Study) -> None:
    other = definition(symbol="AAPL", trials=9)
    with pytest.raises(Conflict, match="another one: symbol NVDA and not AAPL; trials 4 and not 9"):
        catalogue.begin(storage, study.name, other, [barset()])
    assert catalogue.find(storage, study.name).definition == definition()


def test_the_study_of_another_program_stays_as_it_is(storage: Storage) -> None:
    theirs = optuna.create_study(storage=storage.rdb, study_name=f"theirs-{storage.url.drivername}".replace("+", "-"))
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    with pytest.raises(Conflict, match="not one of livetrading's"):
        catalogue.begin(storage, theirs.study_name, definition(), [barset()])
    assert len(theirs.trials) == 2 and theirs.user_attrs == {}


def test_a_worker_with_other_versions_is_refused_and_told_which(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = dict(versions.ours())
    monkeypatch.setattr(versions, "ours", lambda: {**ours, "torch": "0.1"})
    with pytest.raises(Refused, match=re.escape(f"here is torch 0.1 in place of {ours['torch']}.")):
        Bench(study)


def test_bars_that_were_changed_in_the_storage_are_refused(storage: Storage, study: Study) -> None:
    with storage.engine.begin() as connection:
        kept = connection.execute(BARS.select()).all()
        connection.execute(update(BARS).where(BARS.c.piece == 0).values(content=b"x"))
    try:
        with pytest.raises(Damaged, match="not those that the study began with"):
            study.series()
        with pytest.raises(Damaged):
            content.bars(storage, "0" * 64)
    finally:  # the server's tables serve the other tests too
        with storage.engine.begin() as connection:
            connection.execute(BARS.delete())
            connection.execute(BARS.insert(), [row._asdict() for row in kept])


def test_a_trial_is_claimed_by_one_and_ended_by_one(study: Study) -> None:
    first = claims.claim(study, claims.rows(study), me())
    second = claims.claim(study, claims.rows(study), me())
    assert first is not None and second is not None and (first.number, second.number) == (0, 1)
    assert record.end(study, first, USUAL, SPACE, outcome(0.7))
    assert not record.end(study, first, USUAL, SPACE, outcome(0.9)), "it has ended"
    assert record.history(study) == [Ended(0, "COMPLETE", 0.7, USUAL, {0: 0.7, 1: 0.7 - 0.5})]
    assert np.array_equal(record.returns(study)[0], outcome(0.7).returns)


def test_a_dead_workers_trial_is_taken_up_and_a_slow_one_ends_nothing_twice(study: Study) -> None:
    row = claims.claim(study, claims.rows(study)[:1], elsewhere())
    assert row is not None
    assert claims.claim(study, claims.rows(study)[:1], me()) is None, "it beats"
    grow_old(study, row)
    assert claims.claim(study, claims.rows(study)[:1], me()) is not None
    assert claims.claim(study, claims.rows(study)[:1], me()) is None, "its new worker beats"
    assert record.end(study, row, USUAL, SPACE, outcome(0.4))
    assert not record.end(study, row, USUAL, SPACE, outcome(0.4)), "the first was only slow"
    assert len(record.history(study)) == 1 and len(claims.rows(study)) == 4


def test_a_worker_that_died_on_this_machine_is_not_waited_for(study: Study) -> None:
    gone = replace(me(), pid=2**22 + 1)
    assert claims.claim(study, claims.rows(study)[:1], gone) is not None
    assert claims.claim(study, claims.rows(study)[:1], me()) is not None


def test_a_worker_that_is_told_to_stop_leaves_its_trial_to_others(study: Study) -> None:
    worker = me()
    row = claims.claim(study, claims.rows(study)[:1], worker)
    assert row is not None
    claims.release(study, row, me())
    assert claims.rows(study)[0].state == TrialState.RUNNING, "only its own worker leaves it"
    claims.release(study, row, worker)
    assert claims.rows(study)[0].state == TrialState.WAITING
    assert claims.claim(study, claims.rows(study)[:1], me()) is not None


def test_optuna_itself_reads_what_was_written(study: Study) -> None:
    for value in (0.7, 0.2, 0.9, 0.1):
        row = claims.claim(study, claims.rows(study), me())
        assert row is not None and record.end(study, row, USUAL, SPACE, outcome(value))
    theirs = optuna.load_study(study_name=study.name, storage=study.storage.rdb)
    assert [trial.value for trial in theirs.trials] == [0.7, 0.2, 0.9, 0.1]
    assert theirs.best_trial.number == search.chosen(study).number == 2
    assert theirs.best_trial.params == USUAL and theirs.best_trial.intermediate_values == {0: 0.9, 1: 0.9 - 0.5}
    told = search.summary(study, NOW)
    assert (told["ended"], told["complete"], told["best"]["number"]) == (4, 4, 2)
    assert postgres.PASSWORD not in str(told)


def test_a_choice_needs_trials_that_ended_with_a_value(study: Study) -> None:
    with pytest.raises(Conflict, match="have not ended"):
        search.chosen(study)
    failed = replace(outcome(0.0), state="FAIL", value=None, steps={}, returns=np.empty(0))
    for _ in range(4):
        row = claims.claim(study, claims.rows(study), me())
        assert row is not None and record.end(study, row, USUAL, SPACE, failed, "ValueError: too wide")
    with pytest.raises(Conflict, match="ValueError: too wide"):
        search.chosen(study)


def test_a_study_that_is_not_there_is_not_found(storage: Storage) -> None:
    with pytest.raises(NotFound, match="There is no study nobody in"):
        catalogue.find(storage, "nobody")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a URL"),
        ("no url", "not a URL"),
        ("mysql://u:hidden-77@h/d", "kind mysql"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://keeper:pa@hidden-77@127.0.0.1:1/studies", "write @ in the password as %40"),
        ("postgresql://keeper@hidden-77@127.0.0.1:1/studies", "write @ in the password as %40"),
        ("postgresql://keeper:pa/hidden-77@127.0.0.1:1/studies", "/ as %2F"),
        ("postgresql://keeper:pa#hidden-77@127.0.0.1:1/studies", "# as %23"),
        ("postgresql://keeper:pa?hidden-77@127.0.0.1:1/studies", "? as %3F"),
        ("postgresql+psycopg://keeper:hidden-77/@127.0.0.1:1/studies", "/ as %2F"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_told(url: str, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)) as caught:
        Storage(url)
    assert "hidden-77" not in str(caught.value)


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_password_of_any_characters_is_taken_when_escaped_and_never_told(password: str) -> None:
    url = address.parsed(f"postgresql://keeper:{quote(password, safe='')}@127.0.0.1:1/studies")
    assert (url.password, url.host) == (password, "127.0.0.1")
    assert address.shown(url) == "postgresql+psycopg://keeper:***@127.0.0.1:1/studies"
    said = address.masked(f"no host <{password}> nor <{quote(password, safe='')}>", url)
    assert len(password) < 3 or password not in said or password in "no host <***> nor <***>"


@given(st.text(st.characters(codec="ascii", exclude_categories=("C",)), max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_password_that_is_not_escaped_is_refused_or_whole(password: str) -> None:
    try:
        url = address.parsed(f"postgresql://keeper:{password}@127.0.0.1:1/studies")
    except BadInput as error:
        assert len(password) < 6 or password not in str(error)
    else:
        assert (url.password, url.host) == (unquote(password), "127.0.0.1")


def test_what_the_driver_says_never_holds_a_piece_of_the_password_or_of_the_options() -> None:
    url = address.parsed("postgresql://keeper:pa%40SECRETss@127.0.0.1:1/d?sslpassword=hush-99&application_name=me")
    said = "failed to resolve host 'SECRETss@127.0.0.1': pa@SECRETss, pa%40SECRETss, hush-99"
    assert address.masked(said, url) == "failed to resolve host '***@127.0.0.1': ***, ***, ***"


def test_a_storage_in_a_folder_that_is_not_there_is_refused_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"no folder {tmp_path / 'below' / 'dir'}"):
        Storage(f"sqlite:///{tmp_path / 'below' / 'dir' / 'x.db'}")
    assert not (tmp_path / "below").exists()


def test_a_storage_that_is_away_or_no_database_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer") as caught:
        Storage("postgresql://u:hidden-77@127.0.0.1:1/d?application_name=hidden-78")
    assert "hidden-7" not in str(caught.value) and "u:***@" in str(caught.value)
    (tmp_path / "x.db").write_text("no database at all, but some words that fill a page or two" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        Storage(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_storage_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    Storage(url).close()
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'")
    connection.close()
    before = (tmp_path / "studies.db").read_bytes()
    with pytest.raises(Refused, match="another version of Optuna"):
        Storage(url)
    assert (tmp_path / "studies.db").read_bytes() == before


def test_the_embedded_database_is_its_owners_alone(tmp_path: Path) -> None:
    Storage(f"sqlite:///{tmp_path / 'studies.db'}").close()
    assert (tmp_path / "studies.db").stat().st_mode & 0o077 == 0
