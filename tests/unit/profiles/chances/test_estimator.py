from typing import TypeVar

import numpy as np
import pytest

from profiles.arrays import Floats
from profiles.chances.estimator import Bools, CellGrid, CountArrays, estimate
from tests.unit.ground_truth import BUCKETS, EDGES, chances, draw

SEEDS = range(4)
BUCKET = np.arange(BUCKETS)
LANGUAGE = np.arange(8)[:, None]
Values = TypeVar("Values", Floats, Bools)


def counts(correct: list[float], tried: list[float]) -> CountArrays:
    """One model, one task, one language; so many buckets as there are figures."""
    shape = (1, 1, 1, len(tried))
    edges = [128 * 4**i for i in range(len(tried) - 1)]
    return CountArrays(correct=np.reshape(correct, shape), tried=np.reshape(tried, shape), edges=edges)


def inner(values: Values) -> Values:
    """Only the models, tasks and languages that were profiled."""
    return values[:-1, :-1, :-1]


def worlds(*, tried: int) -> tuple[Floats, Bools, CountArrays, CellGrid]:
    """Four worlds side by side with two languages and one length never measured: truth, is measured, counts, fit."""
    is_measured = (BUCKET < 5) & (LANGUAGE < 6)
    truths = [chances(seed) for seed in SEEDS]
    drawn = [draw(truth, is_measured, tried=tried, seed=seed + 100) for seed, truth in zip(SEEDS, truths, strict=True)]
    grids = [estimate(one) for one in drawn]
    joined = CellGrid(
        probability=np.concatenate([inner(grid.probability) for grid in grids]),
        low=np.concatenate([inner(grid.low) for grid in grids]),
        high=np.concatenate([inner(grid.high) for grid in grids]),
        is_extrapolated=np.concatenate([inner(grid.is_extrapolated) for grid in grids]),
    )
    truth = np.concatenate(truths)
    both = CountArrays(
        correct=np.concatenate([one.correct for one in drawn]),
        tried=np.concatenate([one.tried for one in drawn]),
        edges=EDGES,
    )
    return truth, np.broadcast_to(is_measured, truth.shape), both, joined


def error(values: Floats, truth: Floats, where: Bools) -> float:
    return float(((values - truth) ** 2)[where].mean())


def test_measured_cells_are_estimated_far_better_than_by_their_own_rates() -> None:
    truth, is_measured, drawn, grid = worlds(tried=12)
    rates = drawn.correct / np.maximum(drawn.tried, 1)
    assert error(grid.probability, truth, is_measured) < 0.4 * error(rates, truth, is_measured)


def test_languages_never_measured_are_estimated_better_than_by_the_overall_rate() -> None:
    truth, _, drawn, grid = worlds(tried=12)
    new = np.broadcast_to((BUCKET < 5) & (LANGUAGE >= 6), truth.shape)
    overall = drawn.correct.sum(axis=(1, 2, 3)) / drawn.tried.sum(axis=(1, 2, 3))
    rates = np.broadcast_to(overall[:, None, None, None], truth.shape)
    assert error(grid.probability, truth, new) < 0.8 * error(rates, truth, new)


def test_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    truth, is_measured, _, grid = worlds(tried=12)
    is_held = (grid.low <= truth) & (truth <= grid.high)
    assert 0.9 < is_held[is_measured].mean() < 0.99
    # few languages are unseen, and each is one draw for all its cells
    assert is_held[~is_measured].mean() > 0.75


def test_interval_of_a_language_never_measured_is_wider() -> None:
    truth, is_measured, _, grid = worlds(tried=12)
    width = grid.high - grid.low
    new = np.broadcast_to((BUCKET < 5) & (LANGUAGE >= 6), truth.shape)
    assert width[new].mean() > 1.5 * width[is_measured].mean()


def test_probabilities_are_calibrated() -> None:
    truth, _, _, grid = worlds(tried=12)
    order = np.argsort(grid.probability, axis=None)
    for tenth in np.array_split(order, 10):
        assert grid.probability.ravel()[tenth].mean() == pytest.approx(truth.ravel()[tenth].mean(), abs=0.1)


def test_much_data_gives_the_rate_of_the_cell() -> None:
    grid = estimate(counts([9000, 100, 5000], [10000, 10000, 10000]))
    assert inner(grid.probability).ravel() == pytest.approx([0.9, 0.01, 0.5], abs=0.002)
    assert (inner(grid.high) - inner(grid.low)).max() < 0.03


def test_no_data_gives_one_half_within_nearly_everything() -> None:
    grid = estimate(counts([0, 0], [0, 0]))
    assert grid.probability == pytest.approx(0.5)
    assert grid.low.max() < 0.07
    assert grid.high.min() > 0.93
    assert grid.is_extrapolated.all()


def test_length_between_measured_ones_is_estimated_between_them() -> None:
    grid = estimate(counts([90, 0, 30], [100, 0, 100]))
    first, between, last = inner(grid.probability).ravel()
    assert last < between < first
    assert not inner(grid.is_extrapolated).any()


def test_longer_than_measured_is_never_better_even_if_accuracy_rose_with_length() -> None:
    grid = estimate(counts([10, 40, 90, 0, 0], [100, 100, 100, 0, 0]))
    rising = inner(grid.probability).ravel()
    assert rising[0] < rising[1] < rising[2]
    assert rising[3] <= rising[2]
    assert rising[4] <= rising[3]
    assert inner(grid.is_extrapolated).ravel().tolist() == [False, False, False, True, True]


def test_shorter_than_measured_may_be_better_for_all_that_is_known() -> None:
    grid = estimate(counts([0, 0, 80, 30], [0, 0, 100, 100]))
    high = inner(grid.high).ravel()
    assert high[0] > high[1] > high[2]
    assert inner(grid.is_extrapolated).ravel().tolist() == [True, True, False, False]


def test_one_prompt_asked_of_twenty_models_is_not_twenty_prompts() -> None:
    """Four prompts of each task, on which all models were right, or wrong, alike."""
    correct, tried = np.zeros((20, 2, 1, 1)), np.full((20, 2, 1, 1), 4.0)
    correct[:, 0], correct[:, 1] = 3, 1
    independent, shared = (
        estimate(CountArrays(correct=correct, tried=tried, edges=[128], prompt_variance=variance))
        for variance in (0.0, 2.0)
    )
    gaps = [
        float(inner(grid.probability)[0, 0, 0, 0] - inner(grid.probability)[0, 1, 0, 0])
        for grid in (independent, shared)
    ]
    widths = [float((inner(grid.high) - inner(grid.low))[0, 0, 0, 0]) for grid in (independent, shared)]
    assert gaps[1] < 0.6 * gaps[0]
    assert widths[1] > 1.4 * widths[0]


def test_four_prompts_that_all_models_failed_are_mostly_bad_luck() -> None:
    correct, tried = np.zeros((20, 1, 1, 1)), np.full((20, 1, 1, 1), 4.0)
    grid = estimate(CountArrays(correct=correct, tried=tried, edges=[128], prompt_variance=2.0))
    assert inner(grid.probability)[:, 0, 0, 0].min() > 0.045


def test_interval_bounds_enclose_the_estimate_also_beyond_what_was_measured() -> None:
    _, _, _, grid = worlds(tried=3)
    assert (grid.low < grid.probability).all()
    assert (grid.probability < grid.high).all()


def test_language_never_measured_is_extrapolated_only_where_no_language_was_measured() -> None:
    _, _, _, grid = worlds(tried=3)
    assert grid.is_extrapolated.any(axis=(0, 1, 2)).tolist() == [False] * 5 + [True]
    assert grid.is_extrapolated[..., 5].all()


def test_fit_is_deterministic() -> None:
    drawn = draw(chances(1), BUCKET < 5, tried=5, seed=1)
    assert (estimate(drawn).probability == estimate(drawn).probability).all()
