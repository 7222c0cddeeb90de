from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from deployments.budgets.optimum.objective import moments, value_s
from deployments.budgets.optimum.problem import Problem
from deployments.budgets.optimum.rounding import round_budgets
from deployments.budgets.optimum.solver import solve
from scripts.bench.budgets.allocate import random_problems
from scripts.bench.budgets.problems import SWINGING

SOME = random_problems(np.random.default_rng(11), 60)

# one request in 10 s that takes 2 s, and 3 s more by each token: two are the most that the queue can bear
COARSE = Problem(
    shares=np.array([1.0]),
    base_s=np.array([2.0]),
    token_s=np.array([3.0]),
    gain=np.array([0.9]),
    rate=np.array([0.1]),
    floor=np.array([0.0]),
    max_tokens=np.array([10.0]),
    arrivals_per_s=0.1,
    worth_s=1e6,
)


def test_optimum_in_whole_tokens() -> None:
    whole = round_budgets(SWINGING, solve(SWINGING))
    assert whole.budgets.tolist() == [684, 468]
    assert whole.budgets.dtype == np.int64
    assert 0 < whole.loss_s < whole.bound_s < 1e-3


@pytest.mark.parametrize("problem", [pytest.param(p, id=f"{kind}-{i}") for i, (kind, p) in enumerate(SOME)])
def test_loss_keeps_to_its_bound_and_no_token_more_or_less_is_better(problem: Problem) -> None:
    exact = solve(problem)
    whole = round_budgets(problem, exact)
    budgets = whole.budgets.astype(float)
    noise = 1e-12 * max(1.0, abs(exact.value_s))
    assert -exact.gap_s - noise <= whole.loss_s <= whole.bound_s + noise
    assert whole.loss_s == pytest.approx(exact.value_s - whole.value_s, abs=noise)
    assert ((budgets >= 0) & (budgets <= problem.max_tokens)).all()
    assert whole.is_settled
    for move in [*np.eye(problem.num_types), *-np.eye(problem.num_types)]:
        if ((moved := budgets + move) >= 0).all() and (moved <= problem.max_tokens).all():
            assert value_s(problem, moved) <= whole.value_s + noise


def test_rounding_up_does_not_cross_the_limit_of_the_queue() -> None:
    exact = solve(COARSE)
    assert not moments(COARSE, np.rint(exact.budgets)).is_stable
    whole = round_budgets(COARSE, exact)
    assert whole.budgets.tolist() == [2]
    assert whole.utilisation == pytest.approx(0.8)
    assert whole.loss_s <= whole.bound_s


def test_a_search_cut_short_says_so() -> None:
    far = replace(solve(SWINGING), budgets=np.array([600.0, 500.0]))
    assert not round_budgets(SWINGING, far, max_passes=3).is_settled


def test_a_search_from_afar_ends_at_the_best_whole_budgets() -> None:
    small = replace(SWINGING, max_tokens=np.array([40.0, 40.0]), rate=np.array([0.2, 0.2]), worth_s=20.0)
    best = max(product(range(41), repeat=2), key=lambda budgets: value_s(small, np.array(budgets, float)))
    far = replace(solve(small), budgets=np.array([0.0, 40.0]))
    whole = round_budgets(small, far)
    assert (tuple(whole.budgets.tolist()), whole.is_settled) == (best, True)
    assert 0 < min(best) <= max(best) < 40
