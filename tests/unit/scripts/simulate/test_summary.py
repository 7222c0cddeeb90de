"""The readings of a simulated run are those of `profiles.measures.ttca`."""

from collections.abc import Sequence

import numpy as np
import pytest

from profiles.measures.trial import Trial
from profiles.measures.ttca import answerable, longest_attempts_s, par_penalty_s, readings
from scripts.bench.simulated.replay import ReplayedRequest, ReplayWorld, play_policy, trials_of
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.simulation import Results
from scripts.simulate.run import loop_of
from scripts.simulate.settings import SettingsError
from scripts.simulate.summary import SimulatedCharging, Summary, summarise
from tests.unit.simulated import FAST, GOOD, engine, profile, record

# By prompt, whether the fast and the good model are right.
RIGHT = {"0": (True, True), "1": (False, True), "2": (True, False), "3": (False, False), "4": (False, True)}
WORLD = ReplayWorld(
    profile=profile(),
    records=[record(p, m, correct=c) for p, both in RIGHT.items() for m, c in zip((FAST, GOOD), both, strict=True)],
    cluster=Cluster.of({FAST: engine(decode=0.1), GOOD: engine(decode=0.5)}),
    clients=2,
    cap=3,
)
PLAN = [ReplayedRequest(prompt_id=name, session=name) for name in RIGHT]


def summaries(outcomes: Sequence[Results]) -> list[Summary]:
    is_right = np.array([any(both) for both in RIGHT.values()])
    charging = SimulatedCharging.of(outcomes, answerable=is_right, cap=WORLD.cap)
    return [summarise(o, charging, policy="p", loop="server", models=(FAST, GOOD)) for o in outcomes]


def test_readings_are_those_of_the_same_trials() -> None:
    policies = "laar", "session-affinity", "fastest"
    outcomes = [play_policy(WORLD, PLAN, policy, loop=loop_of(policy)) for policy in policies]
    of_policy: list[list[Trial]] = [trials_of(outcome, PLAN, WORLD, name="p") for outcome in outcomes]
    every = [trial for trials in of_policy for trial in trials]
    for trials, found in zip(of_policy, summaries(outcomes), strict=True):
        expected = readings(
            trials,
            answerable=answerable(WORLD.records),
            cap=WORLD.cap,
            attempt_s=longest_attempts_s(every),
            penalty_s=par_penalty_s(every),
        )
        assert (found.ttca.count, found.solved_ttca.count) == (expected.num_answerable, expected.num_solved)
        assert found.ttca.mean_s == pytest.approx(expected.answerable_s)
        assert found.penalised_s == pytest.approx(expected.penalised_s)
        assert found.solved_ttca.mean_s == pytest.approx(expected.solved_s)
        assert (found.success, found.attempts) == pytest.approx((expected.success_rate, expected.mean_attempts))


def outcome(elapsed_s: list[float], longest_s: list[float], attempts: list[int], solved: list[bool]) -> Results:
    size = len(elapsed_s)
    return Results(
        arrival_s=np.zeros(size),
        elapsed_s=np.array(elapsed_s),
        solved=np.array(solved),
        attempts=np.array(attempts, dtype=np.int16),
        first_token_s=np.full(size, np.nan),
        token_s=np.full(size, np.nan),
        seen=np.zeros(size, dtype=np.int32),
        longest_s=np.array(longest_s),
        errors=np.zeros(size, dtype=np.int16),
        error_s=np.zeros(size),
    )


def test_giving_up_at_once_costs_all_attempts_at_the_longest_that_any_policy_made() -> None:
    solves = outcome([6.0, 4.0], [5.0, 4.0], [2, 1], [True, True])
    gives_up = outcome([0.0, 1.0], [0.0, 1.0], [0, 1], [False, False])
    charging = SimulatedCharging.of([solves, gives_up], answerable=np.array([True, True]), cap=3)
    # three attempts of 5 s; 1 s and two of 4 s
    assert charging.charged_s(gives_up).tolist() == [15.0, 9.0]
    assert charging.penalised_s(gives_up).tolist() == [60.0, 60.0]


def test_no_request_that_was_solved_costs_more_than_the_penalty() -> None:
    late = outcome([900.0, 1.0], [900.0, 1.0], [1, 1], [True, True])
    charging = SimulatedCharging.of([late], answerable=np.array([True, True]), cap=3)
    assert charging.penalised_s(late).max() < charging.penalty_s


def test_run_without_a_price_for_an_attempt_is_refused() -> None:
    nothing = outcome([0.0], [0.0], [0], [False])
    with pytest.raises(SettingsError, match="no price for one"):
        SimulatedCharging.of([nothing], answerable=np.array([True]), cap=3)


def test_failing_at_once_is_charged_as_the_longest_attempt_that_any_policy_made() -> None:
    slow = outcome([50.0], [50.0], [1], [True])
    fails = outcome([3.0], [1.0], [3], [False])
    fails.errors[:], fails.error_s[:] = 3, 3.0
    charging = SimulatedCharging.of([slow, fails], answerable=np.array([True]), cap=3)
    assert charging.charged_s(fails).tolist() == [150.0]
