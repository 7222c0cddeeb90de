"""Followers of one log, with a real SQLite between them."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from deployments.log.database.store import Store
from deployments.log.reading.lessons import Batch
from deployments.log.writing.log_records import LogRecord
from deployments.log.writing.replica_log import LogHistory
from deployments.router.choice.chances import Chances, HeardVerdict
from deployments.router.settings import Learning
from deployments.router.upkeep.learn_from_log import Follower, follow_once, replay
from profiles.cell import Cell
from profiles.chances.online import Learner
from profiles.measuring.logged_attempt import LoggedAttempt
from tests.unit.logged import NOON, asked, request_id, said, tried
from tests.unit.profiles.chances.test_capability import cell, profile

MODELS = ("a", "b")
PROFILE = profile({name: [cell("en", 0, 25, 50)] for name in MODELS})


class Replica:
    """A router's chances; it learns its own verdicts at once, and writes them to the log."""

    def __init__(self, store: Store, name: str, *, half_life_verdicts: float = 1000.0) -> None:
        self.store, self.name = store, name
        self.chances = Chances(PROFILE, MODELS, Learning(half_life_verdicts=half_life_verdicts))
        self.follower = Follower(
            LogHistory(store, replay_days=36500),
            self.chances,
            replica=name,
            buckets=PROFILE.buckets,
            half_life_verdicts=half_life_verdicts,
        )

    @property
    def learner(self) -> Learner:
        assert self.chances.learner is not None
        return self.chances.learner

    def serve(self, number: int, *attempts: LoggedAttempt, key: str = "key") -> None:
        failed: list[str] = []
        for one in attempts:
            self.learn(one, failed, key)
            failed += [one.model] if one.verdict == "wrong" else []
        self.store.write([asked(number, *attempts, replica=self.name, at_s=number, api_key_hash=key)])

    def learn(self, one: LoggedAttempt, failed: list[str], key: str = "key") -> None:
        if one.verdict in ("correct", "wrong"):
            cell, correct = Cell("default", "en", 0), one.verdict == "correct"
            self.chances.observe(HeardVerdict(one.model, cell, correct, failed=tuple(failed), tenant=key))

    async def sync(self) -> None:
        await follow_once(self.follower)

    def chance(self, model: str = "a") -> float:
        return float(self.chances.probabilities("default", "en", np.zeros(2, np.intp))[MODELS.index(model)])

    def state(self) -> object:
        """All that was learned of what is asked here, with intervals and the evidence of drift."""
        estimates = [self.learner.estimate(m, Cell("default", "en", b)) for m in MODELS for b in (0, 1)]
        return estimates, self.learner.drift


def verdicts(count: int, seed: int) -> list[LoggedAttempt]:
    rng = np.random.default_rng(seed)
    return [tried(str(rng.choice(MODELS)), "correct" if rng.random() < 0.2 else "wrong") for _ in range(count)]


async def test_replicas_that_learn_in_turn_believe_what_one_alone_would(store: Store) -> None:
    alone, one, other = (Replica(store, name) for name in ("alone", "r1", "r2"))
    for number, verdict in enumerate(verdicts(60, seed=1)):
        alone.learn(verdict, [])
        (one, other)[number % 2].serve(number, verdict)
        await one.sync()
        await other.sync()
    assert one.state() == alone.state()
    assert other.state() == alone.state()


async def test_replicas_that_learn_side_by_side_end_up_close_to_each_other(store: Store) -> None:
    one, other = Replica(store, "r1"), Replica(store, "r2")
    untaught = one.chance()
    for number, verdict in enumerate(verdicts(200, seed=2)):
        (one, other)[number % 2].serve(number, verdict)
        if number % 20 == 19:
            await one.sync()
            await other.sync()
    assert one.chance() == pytest.approx(other.chance(), abs=0.05)
    assert one.chance() < untaught - 0.2


async def test_nothing_counts_twice_however_often_the_log_is_read(store: Store) -> None:
    one, other = Replica(store, "r1"), Replica(store, "r2")
    one.serve(1, tried("a", "wrong"), tried("b", "correct"))
    before = one.state()
    for _ in range(3):
        store.write([asked(1, tried("a", "wrong"), tried("b", "correct"), replica="r1", at_s=1)])
        await one.sync()
        await other.sync()
    assert one.state() == other.state() == before


async def test_undone_key_teaches_nothing_at_any_replica_until_that_is_taken_back(store: Store) -> None:
    one, other, honest = (Replica(store, name) for name in ("r1", "r2", "honest"))
    for number, verdict in enumerate(verdicts(24, seed=5)):
        is_lie = number % 3 > 0
        one.serve(number, verdict, key="liar" if is_lie else "key")
        if not is_lie:
            honest.learn(verdict, [], "key")
    await other.sync()
    told = one.state()
    assert other.state() == told != honest.state()
    store.undo_key("liar", NOON)
    one.serve(100, tried("a", "wrong"), key="liar")
    for replica in (one, other):
        await replica.sync()
    late = Replica(store, "r3")
    replay(late.follower, timeout_s=60, clock=lambda: 0.0)
    assert one.state() == other.state() == late.state() == honest.state()
    store.redo_key("liar")
    for replica in (one, other, late):
        await replica.sync()
    assert one.state() == other.state() == late.state() != honest.state()


async def test_restarted_replica_believes_what_it_did(store: Store) -> None:
    before = Replica(store, "r1")
    for number, verdict in enumerate(verdicts(450, seed=3)):
        before.serve(number, verdict)
    store.write([said(7, True), asked(1000, tried("b", "unverified")), said(1000, False, 1)])
    await before.sync()
    after = Replica(store, "r1-after-restart")
    replay(after.follower, timeout_s=60, clock=lambda: 0.0)
    assert after.state() == before.state()


async def test_replay_that_runs_out_of_time_is_finished_later(store: Store) -> None:
    one, late = Replica(store, "r1"), Replica(store, "r2")
    for number, verdict in enumerate(verdicts(450, seed=4)):
        one.serve(number, verdict)
    ticks = iter(range(100))
    replay(late.follower, timeout_s=2.5, clock=lambda: float(next(ticks)))
    assert late.state() != one.state()
    await late.sync()
    assert late.state() == one.state()


async def test_replay_is_bounded_by_half_lives(store: Store) -> None:
    one = Replica(store, "r1")
    for number in range(30):
        one.serve(number, tried("a", "wrong"))
    short, long = (Replica(store, f"r{half_life}", half_life_verdicts=half_life) for half_life in (1.0, 2.0))
    counts = []
    for replica in (short, long):
        counts.append(len(replica.follower.read().lessons))
    assert counts == [20, 30]


@pytest.mark.parametrize(
    ("records", "rises"),
    [
        pytest.param([asked(1, tried("a", "unverified")), said(1, True)], True, id="told-correct"),
        pytest.param([asked(1, tried("a", "unverified")), said(1, False)], False, id="told-wrong"),
        pytest.param(
            [asked(1, tried("a", "unverified")), asked(2, tried("b", "unverified"), retry_of=request_id(1), at_s=1)],
            False,
            id="asked-again",
        ),
    ],
)
async def test_clients_word_counts_at_every_replica_also_that_which_answered(
    store: Store, records: list[LogRecord], rises: bool
) -> None:
    replicas = [Replica(store, name) for name in ("r1", "r2")]
    before = replicas[0].chance()
    store.write(records)
    for replica in replicas:
        await replica.sync()
        assert (replica.chance() > before) is rises
    assert replicas[0].state() == replicas[1].state()


async def test_models_that_are_no_longer_there_are_left_out(store: Store) -> None:
    replica = Replica(store, "r2")
    before = replica.state()
    store.write([asked(1, tried("gone", "wrong"))])
    await replica.sync()
    assert replica.state() == before
    store.write([asked(3, tried("gone", "wrong"), tried("a", "wrong"))])
    await replica.sync()
    assert replica.state() != before


async def test_lessons_from_before_the_edges_changed_go_by_their_tokens(store: Store) -> None:
    replica, expected = Replica(store, "r2"), Replica(store, "r3")
    store.write([asked(1, tried("a", "wrong", bucket="7-9", prompt_tokens=9))])
    await replica.sync()
    expected.learner.observe("a", Cell("default", "en", PROFILE.buckets.of(9)), correct=False)
    assert replica.state() == expected.state()


async def test_drift_that_others_saw_is_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(store, "r2")
    store.write([asked(number, tried("a", "wrong"), at_s=number) for number in range(80)])
    with caplog.at_level(logging.WARNING, "ray.serve"):
        await replica.sync()
        await replica.sync()
    # what a record is given in `extra` mypy cannot know
    alarms = [vars(r) for r in caplog.records if r.message == "model answers otherwise than profiled"]
    told = [(alarm["model"], alarm["task"]) for alarm in alarms]
    assert sorted(told, key=str) == [("a", "default"), ("a", None)]
    assert replica.chances.drifting == {"a"}


class Away:
    """A log whose database is away until told otherwise."""

    def __init__(self, history: LogHistory) -> None:
        self.history, self.is_away = history, True

    def begin(self, most: int) -> int:
        return self.history.begin(most)

    def last(self) -> int:
        return self.history.last()

    def lessons(self, after: int, every: int) -> Batch:
        if self.is_away:
            raise OperationalError("select", {}, Exception("away"))
        return self.history.lessons(after, every)


async def test_log_that_is_away_at_the_start_is_caught_up_with_and_own_verdicts_count_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    one, late = Replica(store, "r1"), Replica(store, "r2")
    away = Away(LogHistory(store, replay_days=36500))
    late.follower = Follower(away, late.chances, replica="r2", buckets=PROFILE.buckets, half_life_verdicts=1000)
    one.serve(1, tried("a", "wrong"))
    replay(late.follower, timeout_s=60, clock=lambda: 0.0)
    assert "verdicts could not be replayed" in caplog.text
    late.serve(2, tried("b", "wrong"))
    away.is_away = False
    for replica in (one, late):
        await replica.sync()
    assert late.chance("a") == one.chance("a")
    assert late.chance("b") == one.chance("b")


async def test_tables_of_a_later_version_do_not_hold_up_the_start(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    replay(Replica(store, "r1").follower, timeout_s=60, clock=lambda: 0.0)
    assert "verdicts could not be replayed" in caplog.text


class Noted:
    """Learns nothing, and notes of whom it should."""

    models = MODELS

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool | None]] = []

    def observe(self, heard: HeardVerdict) -> None:
        self.heard.append((heard.model, heard.correct))

    def undo(self, tenants: frozenset[str]) -> Iterator[None]:
        assert not tenants
        yield


async def test_of_too_many_verdicts_all_routers_learn_the_same_even_sample_and_every_word_of_clients(
    store: Store,
) -> None:
    noted = [Noted(), Noted()]
    followers = [
        Follower(
            LogHistory(store, replay_days=36500),
            each,
            replica=f"r{number}",
            buckets=PROFILE.buckets,
            half_life_verdicts=1000,
            most=50,
        )
        for number, each in enumerate(noted)
    ]
    for follower in followers:
        follower.catch_up(timeout_s=10, clock=lambda: 0.0)
    for start in (0, 600):
        numbers = range(start, start + 500)
        store.write(
            [asked(n, tried("a", "unknown" if n % 100 == 7 else "correct"), replica="x", at_s=n) for n in numbers]
        )
        store.write([said(n, False, at_s=n) for n in numbers if n % 100 == 7])
        for follower in followers:
            await follow_once(follower)
    assert noted[0].heard == noted[1].heard
    counts = [sum(correct is right for _, correct in noted[0].heard) for right in (True, False)]
    assert 80 <= counts[0] <= 100
    assert counts[1] == 10
    await follow_once(followers[0])
    assert len(noted[0].heard) == sum(counts)
