import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from deployments.router.choice.joint_order import MAX_ORDERED, Joint, best_order, chance_left
from deployments.router.choice.policy import POLICIES, decide, rank
from profiles.chances.joint import after
from profiles.chances.logistic import Floats
from tests.unit.deployments.router.choice.test_policy import candidate

NONE = np.zeros((2, 2))


def expected_s(
    order: Sequence[int], latency_s: Sequence[float], probability: Sequence[float], burdens: Floats
) -> float:
    """By walking the order, one failure after another."""
    total, all_wrong, burden = 0.0, 1.0, np.zeros(len(latency_s))
    for model in order:
        total += all_wrong * latency_s[model]
        all_wrong *= 1 - float(after(np.array(probability[model]), float(burden[model])))
        burden = burden + burdens[model]
    return total


@pytest.mark.parametrize("count", range(1, MAX_ORDERED + 1))
@pytest.mark.parametrize("seed", range(20))
def test_no_order_takes_less_than_the_best(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    latency_s, probability = rng.uniform(0.1, 9, count).tolist(), rng.uniform(0.05, 0.95, count).tolist()
    burdens = rng.uniform(-0.5, 8, (count, count))
    every = itertools.permutations(range(count))
    least_s = min(expected_s(order, latency_s, probability, burdens) for order in every)
    found = best_order(latency_s, probability, burdens)
    assert sorted(found) == list(range(count))
    assert expected_s(found, latency_s, probability, burdens) == pytest.approx(least_s, rel=1e-12)


def test_without_burdens_the_order_is_that_of_latency_over_probability() -> None:
    # 10, 5 and 4 s
    assert best_order([1.0, 4.0, 2.0], [0.1, 0.8, 0.5], np.zeros((3, 3))) == [2, 1, 0]


def test_model_whose_failure_dooms_the_other_comes_later_than_by_latency_over_probability() -> None:
    # L/Q says a (2.0) before b (2.1). When a is wrong b hardly ever is right, when b is wrong a still is:
    # a first 1 + 0.5 * 1.05 = 1.525, b first 1.05 + 0.5 * 1 = 1.55; so the third model, which pays for both, decides
    burdens = np.array([[0.0, 99.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert best_order([1.0, 1.05, 20.0], [0.5, 0.5, 0.9], np.zeros((3, 3))) == [0, 1, 2]
    assert best_order([1.0, 1.05, 20.0], [0.5, 0.5, 0.9], burdens) == [1, 0, 2]


def test_tie_goes_to_the_earlier_model() -> None:
    assert best_order([1.0, 1.0], [0.5, 0.5], NONE) == [0, 1]


def test_more_models_than_can_be_ordered_are_refused() -> None:
    with pytest.raises(ValueError, match=r"5 models to order; at most 4 are allowed"):
        best_order([1.0] * 5, [0.5] * 5, np.zeros((5, 5)))


def test_what_is_remembered_of_chances_is_not_taken_for_other_chances_models_or_failures() -> None:
    index = {"a": 0, "b": 1, "c": 2}
    one, other = (Joint(index=index, burdens=np.random.default_rng(seed).uniform(0, 99, (3, 3))) for seed in (0, 1))
    found = {}
    for joint in (one, other):
        for models in ("abc", "cab"):
            for probability in ((0.5, 0.5, 0.9), (0.1, 0.9, 0.5)):
                order = joint.best_order(list(models), [1.0, 1.05, 3.0], probability)
                assert order == best_order([1.0, 1.05, 3.0], probability, joint.among(models))
                found[joint, models, probability] = tuple(order)
    assert len(set(found.values())) > 2


def test_chance_left_of_independent_models() -> None:
    # 1 - 0.5 * 0.8
    assert chance_left([0.5, 0.2], NONE) == pytest.approx(0.6)
    assert chance_left([], np.zeros((0, 0))) == 0.0


def test_chance_left_is_less_where_failures_go_together() -> None:
    # after the first is wrong the second's odds are 1 to 4: 1 - 0.5 * 0.8
    assert chance_left([0.5, 0.5], np.array([[0.0, 3.0], [3.0, 0.0]])) == pytest.approx(0.6)


@pytest.mark.parametrize("seed", range(10))
def test_laar_chooses_the_first_of_the_best_order_and_ranks_in_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"m{index}" for index in range(7)]
    joint = Joint(index={name: row for row, name in enumerate(names)}, burdens=rng.uniform(0, 9, (7, 7)))
    pool = [
        candidate(name, latency_s=float(rng.uniform(0.1, 9)), probability=float(rng.uniform(0.1, 0.9)))
        for name in names
    ]
    by_score = sorted(pool, key=lambda c: c.score_s)
    head = by_score[:MAX_ORDERED]
    order = best_order([c.latency_s for c in head], [c.probability for c in head], joint.among([c.model for c in head]))
    expected = [head[index] for index in order] + by_score[MAX_ORDERED:]
    decision = decide(POLICIES["laar"](()), pool, joint=joint)
    assert decision is not None
    assert decision.chosen is expected[0]
    assert rank(POLICIES["laar"](()), pool, joint=joint) == expected


def test_other_policies_do_not_care_who_fails_together() -> None:
    joint = Joint(index={"a": 0, "b": 1}, burdens=np.array([[0.0, 99.0], [0.0, 0.0]]))
    pool = [candidate("b", latency_s=1.0), candidate("a", latency_s=2.0)]
    assert [c.model for c in rank(POLICIES["fastest"](()), pool, joint=joint)] == ["b", "a"]
