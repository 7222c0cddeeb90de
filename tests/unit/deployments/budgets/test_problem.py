from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.budgets.problem import Problem, ProblemError, UnstableError

TWO = Problem(
    shares=np.array([0.5, 0.5]),
    base_s=np.array([1.0, 3.0]),
    token_s=np.array([0.01, 0.02]),
    gain=np.array([0.5, 0.5]),
    rate=np.array([0.01, 0.01]),
    floor=np.array([0.2, 0.4]),
    max_tokens=np.array([100.0, 100.0]),
    arrivals_per_s=0.1,
    worth_s=10.0,
)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        pytest.param("base_s", [1.0, np.nan], r"base_s: nan given; a finite number is wanted", id="nan"),
        pytest.param("worth_s", np.inf, r"worth_s: inf given; a finite number is wanted", id="infinite"),
        pytest.param("gain", [-0.1, 0.5], r"gain: -0\.1 given; it must not be negative", id="negative"),
        pytest.param("worth_s", 1e13, r"worth_s: 1e\+13 given; it must not exceed 1e\+12", id="huge"),
        pytest.param("rate", [0.0, 0.01], r"rate: 0 given; it must be at least 1e-12", id="no rate"),
        pytest.param("token_s", [0.01, 0.0], r"token_s: 0 given; it must be at least 1e-12", id="free tokens"),
        pytest.param("floor", [0.2, 0.6], r"floor \+ gain: 1\.1 given", id="more than certain"),
        pytest.param("shares", [0.5, 0.4], r"shares: they sum to 0\.9; they must sum to 1", id="shares"),
        pytest.param("max_tokens", [100.0, 0.5], r"max_tokens: whole numbers are wanted", id="half a token"),
        pytest.param("gain", [0.5], r"gain: shape \(1,\) given; shares has \(2,\)", id="shape"),
        pytest.param("shares", [[0.5, 0.5]], r"shares: shape \(1, 2\) given; one row", id="two-dimensional"),
    ],
)
def test_parameters_that_name_no_problem_are_refused(field: str, value: Any, message: str) -> None:
    changes: dict[str, Any] = {field: np.array(value) if isinstance(value, list) else value}
    with pytest.raises(ProblemError, match=message):
        replace(TWO, **changes)


def test_a_queue_unstable_without_thinking_is_refused() -> None:
    # 0.5 arrivals/s of 2 s each
    with pytest.raises(UnstableError, match=r"utilisation is 1 even without thinking.*0\.5 arrivals/s of 2 s each"):
        replace(TWO, arrivals_per_s=0.5)
