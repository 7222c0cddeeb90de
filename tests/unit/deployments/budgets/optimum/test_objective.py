from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from deployments.budgets.optimum.objective import (
    accuracy,
    coupling,
    gain_s,
    gradient,
    hessian,
    mean_time_s,
    moments,
    value_s,
)
from deployments.budgets.optimum.problem import Floats, Problem
from deployments.budgets.optimum.region import lipschitz
from scripts.bench.budgets.allocate import differences
from scripts.bench.budgets.problems import SWINGING, overfull
from tests.unit.deployments.budgets.optimum.test_problem import TWO

BUDGETS = np.array([50.0, 100.0])


def slope_at(problem: Problem, budgets: Floats) -> Floats:
    return gradient(problem, budgets, moments(problem, budgets))


def test_moments_mix_the_types_by_their_shares() -> None:
    # 1.5 s and 5 s, half of the arrivals each
    at = moments(TWO, BUDGETS)
    assert at.service_s.tolist() == [1.5, 5.0]
    assert (at.mean_s, at.square_s2, at.utilisation) == pytest.approx((3.25, 13.625, 0.325))


def test_time_is_service_and_waiting_by_pollaczek_and_khinchine() -> None:
    # 3.25 + 0.1 * 13.625 / (2 * 0.675)
    assert mean_time_s(TWO, moments(TWO, BUDGETS)) == pytest.approx(4.259259259)


def test_equal_services_give_the_time_of_the_md1_queue() -> None:
    # 1 + 0.5 / (2 * 0.5): service of exactly 1 s, half of the server used
    equal = replace(TWO, base_s=np.array([1.0, 1.0]), arrivals_per_s=0.5)
    assert mean_time_s(equal, moments(equal, np.zeros(2))) == pytest.approx(1.5)


def test_accuracy_rises_from_the_floor_towards_floor_and_gain() -> None:
    # 0.2 + 0.5 * (1 - exp(-0.5)) and 0.4 + 0.5 * (1 - exp(-1))
    assert accuracy(TWO, BUDGETS) == pytest.approx([0.396734670, 0.716060279])


def test_an_unstable_queue_is_worth_nothing() -> None:
    assert value_s(replace(TWO, arrivals_per_s=0.4), BUDGETS) == float("-inf")


@pytest.mark.parametrize("seed", range(6))
def test_gradient_and_hessian_are_those_of_finite_differences(seed: int) -> None:
    problem = overfull(np.random.default_rng(seed), 4)
    budgets = np.array([20.0, 2.0, 7.0, 11.0])
    assert moments(problem, budgets).is_stable
    first = differences(lambda at: np.array(value_s(problem, at)), budgets, 1e-2)
    second = differences(partial(slope_at, problem), budgets, 1e-2)
    assert slope_at(problem, budgets) == pytest.approx(first, rel=1e-6, abs=1e-9 * problem.worth_s)
    assert hessian(problem, budgets) == pytest.approx(second, rel=1e-6, abs=1e-9 * np.abs(second).max())


@pytest.mark.parametrize("seed", range(6))
def test_hessian_is_negative_definite_and_its_norm_bounded(seed: int) -> None:
    problem = overfull(np.random.default_rng(seed), 4)
    top = np.array([20.0, 2.0, 7.0, 11.0])
    bound = lipschitz(problem, moments(problem, top))
    for part in (0.0, 0.5, 1.0):
        curves = np.linalg.eigvalsh(hessian(problem, top * part))
        assert (-bound <= curves).all()
        assert (curves < 0).all()


def test_coupling_is_what_all_marginal_delays_grow_by() -> None:
    """The rows of the Hessian of E[T], which is -J without worth, sum to pi c R."""
    idle = replace(SWINGING, worth_s=0.0)
    budgets = np.array([300.0, 500.0])
    rows = -hessian(idle, budgets).sum(axis=1) / (idle.shares * idle.token_s)
    assert coupling(idle, moments(idle, budgets)) == pytest.approx(rows)


def test_difference_of_two_values_keeps_its_digits() -> None:
    at = moments(TWO, BUDGETS)
    moved = BUDGETS + np.array([3.0, -4.0])
    assert gain_s(TWO, BUDGETS, at, moved) == pytest.approx(value_s(TWO, moved) - value_s(TWO, BUDGETS), rel=1e-9)
    step = np.array([1e-9, 0.0])
    assert gain_s(TWO, BUDGETS, at, BUDGETS + step) == pytest.approx(
        slope_at(TWO, BUDGETS)[0] * ((BUDGETS + step) - BUDGETS)[0], rel=1e-6
    )


def test_a_move_to_an_unstable_queue_gains_nothing() -> None:
    problem = replace(TWO, arrivals_per_s=0.3)
    assert gain_s(problem, BUDGETS * 0, moments(problem, BUDGETS * 0), BUDGETS * 2) == float("-inf")
