import numpy as np
import pytest
from scipy.special import logit

from profiles.chances.logistic import UNSEEN, Effect, fit


def effect(level: list[int], count: int, variance: float | None = None) -> Effect:
    places, ones = np.array(level, dtype=np.intp), np.ones(len(level))
    return Effect(level=places, weight=ones, count=count, scale=0.5, variance=variance)


def test_much_data_gives_each_levels_own_rate() -> None:
    effects = [effect([0, 0], 1), effect([0, 1], 2)]
    found = fit(effects, np.array([90_000.0, 20_000.0]), np.array([100_000.0, 100_000.0]))
    mean, variance = found.predict(effects)
    assert mean == pytest.approx([logit(0.9), logit(0.2)], abs=0.01)
    assert variance.max() < 0.001


def test_level_never_seen_has_the_mean_of_the_others_and_as_much_more_variance_as_levels_differ() -> None:
    levels = list(range(20))
    rates = np.where(np.arange(20) % 2, 0.9, 0.6)
    found = fit([effect([0] * 20, 1, 4.0), effect(levels, 20)], 1000 * rates, np.full(20, 1000.0))
    mean, variance = found.predict([effect([0], 1), effect([UNSEEN], 20)])
    # log-odds 2.20 and 0.41: mean 1.30, standard deviation 0.90
    assert mean[0] == pytest.approx(1.30, abs=0.05)
    assert np.sqrt(variance[0]) == pytest.approx(0.90, abs=0.1)


def test_levels_that_hardly_differ_are_drawn_together() -> None:
    correct = np.array([52.0, 48.0, 50.0, 51.0, 49.0, 50.0] * 4)
    effects = [effect([0] * 24, 1), effect(list(range(24)), 24)]
    mean, _ = fit(effects, correct, np.full(24, 100.0)).predict(effects)
    rates = logit(correct / 100)
    assert np.ptp(mean) < 0.7 * np.ptp(rates)


def test_without_rows_nothing_is_known_but_the_priors() -> None:
    none = np.array([], dtype=np.intp)
    empty = Effect(level=none, weight=np.array([]), count=1, scale=2.0, variance=4.0)
    mean, variance = fit([empty], np.array([]), np.array([])).predict([effect([0], 1, 4.0)])
    assert (mean[0], variance[0]) == (0.0, pytest.approx(4.0))


def test_groups_that_meet_only_in_what_they_share_are_fitted_as_if_they_were_not_told_apart() -> None:
    rng = np.random.default_rng(0)
    group, shared = np.repeat(np.arange(4), 6), np.tile(np.arange(3), 8)
    own = 2 * group + np.tile([0, 1], 12)
    tried = np.full(24, 30.0)
    correct = rng.binomial(30, rng.uniform(0.2, 0.9, 24)).astype(np.float64)

    def effects(groups: int) -> list[Effect]:
        return [
            effect([0] * 24, 1, 4.0),
            Effect(level=group, weight=np.ones(24), count=4, scale=0.5, groups=groups),
            effect(shared.tolist(), 3),
            Effect(level=own, weight=np.linspace(-1, 1, 24), count=8, scale=0.5, groups=groups),
        ]

    apart, together = fit(effects(4), correct, tried), fit(effects(0), correct, tried)
    assert apart.mean == pytest.approx(together.mean, abs=1e-9)
    assert apart.variances == pytest.approx(together.variances, rel=1e-9)
    assert apart.covariance == pytest.approx(together.covariance, abs=1e-9)
