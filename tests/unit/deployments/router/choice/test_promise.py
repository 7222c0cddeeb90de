"""What orders of attempts promise, by hand."""

import numpy as np
import pytest

from deployments.router.choice.objective import Joint, Objective
from deployments.router.choice.policy import Candidate, Situation
from deployments.router.choice.promise import chance_right, promise_of
from tests.unit.deployments.router.choice.test_policy import candidate

A, B = candidate("a", latency_s=1.0, probability=0.5), candidate("b", latency_s=4.0, probability=0.2)


@pytest.mark.parametrize(
    ("asked", "burden", "expected"),
    [
        pytest.param([A, B], 0.0, 1 - 0.5 * 0.8, id="independent"),
        pytest.param([B, A], 0.0, 1 - 0.5 * 0.8, id="other-way-round"),
        # after the first is wrong the odds of the second are 1 to 16
        pytest.param([A, B], 3.0, 1 - 0.5 * 16 / 17, id="fail-together"),
        pytest.param([A, A], 3.0, 1 - 0.5 * 0.8, id="another-sample"),
        pytest.param([], 0.0, 0.0, id="nothing-left"),
    ],
)
def test_chance_that_one_is_right(asked: list[Candidate], burden: float, expected: float) -> None:
    joint = Joint(index={"a": 0, "b": 1}, burdens=np.full((2, 2), burden))
    assert chance_right(asked, Situation(joint=joint)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("objective", "by_s", "expected"),
    [
        # half of the time the second is not asked
        pytest.param(Objective(), 100.0, (0.6, 3.0, 3.0, 1.5), id="time-enough"),
        pytest.param(Objective(), 2.0, (0.5, 3.0, 3.0, 1.5), id="only-the-first-by-then"),
        pytest.param(Objective(attempts_left=1), 100.0, (0.5, 1.0, 1.0, 1.0), id="one-attempt"),
        pytest.param(Objective(time_left_s=2.0), 100.0, (0.5, 1.5, 3.0, 1.5), id="deadline"),
        pytest.param(Objective(notice_s=1.0), 100.0, (0.6, 4.5, 3.0, 1.5), id="client-notices"),
    ],
)
def test_promise_of_two_attempts(objective: Objective, by_s: float, expected: tuple[float, ...]) -> None:
    found = promise_of([A, B], Situation(objective=objective), by_s=by_s, spend=lambda c: 1.0)
    told = (found.probability, found.seconds, found.engine_s, found.spend)
    assert told == pytest.approx(expected, abs=0.02)
    assert found.models == ("a", "b")[: objective.attempts_left]
