"""The choice of least expected cost, held against enumeration and against a finer reckoning of time."""

import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from math import inf, log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from deployments.router.choice.objective import (
    CANNOT_SHARE,
    MAX_ORDERED,
    SPREAD,
    UNTIL_RIGHT,
    AnswerTarget,
    Joint,
    Objective,
    best_order,
    chances_all_wrong,
)
from deployments.router.choice.policy import POLICIES, Exclusion, Situation, decide, rank
from profiles.chances.joint import after
from profiles.chances.logistic import Floats
from tests.unit.deployments.router.choice.test_policy import candidate

NONE = np.zeros((2, 2))
SIGMA = sqrt(log(1 + SPREAD**2))


def order_of(
    latency_s: Sequence[float], probability: Sequence[float], burdens: Floats, objective: Objective = UNTIL_RIGHT
) -> list[int]:
    likeliest = sorted(range(len(probability)), key=lambda m: -probability[m])
    chances = chances_all_wrong([probability[m] for m in likeliest], burdens[np.ix_(likeliest, likeliest)])
    return [likeliest[place] for place in best_order([latency_s[m] for m in likeliest], chances, objective)]


def all_wrong(models: Iterable[int], probability: Sequence[float], burdens: Floats) -> float:
    """The chance that each of these is wrong, asked from the likeliest to the least likely one."""
    total, burden = 1.0, np.zeros(len(probability))
    for model in sorted(models, key=lambda m: -probability[m]):
        total *= 1 - float(after(np.array(probability[model]), float(burden[model])))
        burden = burden + burdens[model]
    return total


def wrong_after(failed: Sequence[int], model: int, probability: Sequence[float], burdens: Floats) -> float:
    joined = all_wrong([*failed, model], probability, burdens)
    return joined / all_wrong(failed, probability, burdens)


def expected_s(
    order: Sequence[int], latency_s: Sequence[float], probability: Sequence[float], burdens: Floats, worth_s: float = 0
) -> float:
    """By walking the order, one failure after another."""
    total, so_far = 0.0, 1.0
    for place, model in enumerate(order):
        total += so_far * latency_s[model]
        so_far *= wrong_after(order[:place], model, probability, burdens)
    return total + worth_s * so_far


def pool(seed: int, count: int) -> tuple[list[float], list[float], Floats]:
    rng = np.random.default_rng(seed)
    latency_s, probability = rng.uniform(0.1, 9, count).tolist(), rng.uniform(0.05, 0.95, count).tolist()
    return latency_s, probability, rng.uniform(-0.5, 8, (count, count))


@pytest.mark.parametrize("count", range(1, MAX_ORDERED + 1))
@pytest.mark.parametrize("seed", range(10))
def test_no_order_takes_less_than_the_best(count: int, seed: int) -> None:
    latency_s, probability, burdens = pool(seed, count)
    every = itertools.permutations(range(count))
    least_s = min(expected_s(order, latency_s, probability, burdens) for order in every)
    found = order_of(latency_s, probability, burdens)
    assert sorted(found) == list(range(count))
    assert expected_s(found, latency_s, probability, burdens) == pytest.approx(least_s, rel=1e-12)


@pytest.mark.parametrize("count", range(2, MAX_ORDERED + 1))
@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("worth_s", [1.0, 30.0])
def test_few_attempts_are_spent_at_the_least_cost(count: int, attempts: int, worth_s: float) -> None:
    objective = Objective(worth_s=worth_s, attempts_left=attempts)
    for seed in range(5):
        latency_s, probability, burdens = pool(seed, count)
        price_s = worth_s if attempts < count else 0.0
        every = itertools.permutations(range(count), min(attempts, count))
        least_s = min(expected_s(order, latency_s, probability, burdens, price_s) for order in every)
        found = order_of(latency_s, probability, burdens, objective)
        assert len(found) == min(attempts, count)
        assert expected_s(found, latency_s, probability, burdens, price_s) == pytest.approx(least_s, rel=1e-12)


def done_by(time_s: Floats, mean_s: float) -> Floats:
    """The lognormal distribution of an attempt's time."""
    with np.errstate(divide="ignore"):
        return np.asarray(ndtr(np.log(time_s * sqrt(1 + SPREAD**2) / mean_s) / SIGMA))


def finely_s(
    latency_s: Sequence[float], probability: Sequence[float], burdens: Floats, objective: Objective, steps: int = 240
) -> list[float]:
    """The cost of each first attempt, the best following: written down anew, with ten times as many steps of time."""
    time_s = np.arange(steps + 1) * objective.time_left_s / steps
    done = np.array([done_by(time_s, mean) for mean in latency_s])
    ends = np.diff(done, axis=1)
    middles = (time_s[1:] + time_s[:-1]) / 2

    @cache
    def costs(failed: frozenset[int]) -> list[Floats]:
        found = []
        for model in range(len(latency_s)):
            if model in failed:
                continue
            wrong = wrong_after(sorted(failed), model, probability, burdens)
            then = best(failed | {model})
            means = (then[1:] + then[:-1]) / 2
            cost = np.array(
                [
                    (ends[model][:left] * (middles[:left] + wrong * means[:left][::-1])).sum()
                    + (1 - done[model][left]) * (time_s[left] + objective.worth_s)
                    for left in range(steps + 1)
                ]
            )
            found.append(cost)
        return found

    @cache
    def best(failed: frozenset[int]) -> Floats:
        is_over = len(failed) in (len(latency_s), objective.attempts_left)
        return np.full(steps + 1, objective.worth_s) if is_over else np.min(costs(failed), axis=0)

    return [float(cost[-1]) for cost in costs(frozenset())]


def test_deadline_costs_hardly_more_than_with_a_finer_reckoning_of_time() -> None:
    excess = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        latency_s, probability, burdens = pool(seed, int(rng.integers(2, 6)))
        objective = Objective(
            worth_s=float(rng.choice([3.0, 30.0])),
            time_left_s=float(rng.uniform(min(latency_s), sum(latency_s))),
            attempts_left=int(rng.integers(1, 6)),
        )
        costs = finely_s(latency_s, probability, burdens, objective)
        excess.append(costs[order_of(latency_s, probability, burdens, objective)[0]] / min(costs) - 1)
    assert np.mean(excess) <= 0.01
    assert np.quantile(excess, 0.99) <= 0.05


@pytest.mark.parametrize("count", range(2, MAX_ORDERED + 1))
@pytest.mark.parametrize("attempts", [pytest.param(2, id="two"), pytest.param(None, id="all")])
@pytest.mark.parametrize("deadline_s", [pytest.param(6.0, id="deadline"), pytest.param(inf, id="none")])
def test_target_is_reached_at_the_least_cost(count: int, attempts: int | None, deadline_s: float) -> None:
    """Against every order, by 4,000 draws of all latencies; a target that no order reaches is missed by the least."""
    excess, rng = [], np.random.default_rng(count)
    for seed in range(2):
        latency_s, probability, burdens = pool(seed, count)
        draws_s = np.exp(rng.normal(-(SIGMA**2) / 2, SIGMA, (4000, count))) * latency_s
        target = AnswerTarget(probability=float(rng.choice([0.5, 0.7, 0.9])), by_s=float(rng.uniform(1, 9)))
        objective = Objective(attempts_left=attempts, time_left_s=deadline_s, target=target)

        @cache
        def wrong(models: frozenset[int], p: Any = probability, b: Any = burdens) -> float:
            return all_wrong(models, p, b)

        @cache
        def done_s(models: frozenset[int], draws_s: Floats = draws_s) -> Floats:
            return np.asarray(draws_s[:, sorted(models)].sum(axis=1))

        def outcome(
            order: Sequence[int], by_s: float = target.by_s, worth_s: float = objective.worth_s
        ) -> tuple[float, float]:
            """The chance to be right by then, and the expected cost."""
            chance, right, cost_s = 0.0, 0.0, 0.0
            for place in range(len(order)):
                before, then = frozenset(order[:place]), frozenset(order[: place + 1])
                is_right, takes_s = wrong(before) - wrong(then), done_s(then)
                chance += is_right * float((takes_s <= min(by_s, deadline_s)).mean())
                right += is_right * float((takes_s <= deadline_s).mean())
                spent_s = np.minimum(takes_s, deadline_s) - np.minimum(done_s(before), deadline_s)
                cost_s += wrong(before) * float(spent_s.mean())
            return chance, cost_s + worth_s * (1 - right)

        every = [outcome(order) for order in itertools.permutations(range(count), min(attempts or count, count))]
        chance, cost_s = outcome(order_of(latency_s, probability, burdens, objective))
        reach = min(target.probability, max(found[0] for found in every))
        assert chance >= reach - 0.01
        excess.append(cost_s / min(cost for found, cost in every if found >= reach - 1e-9) - 1)
    assert np.mean(excess) <= 0.01
    assert max(excess) <= 0.05


def test_target_buys_certainty_only_as_far_as_it_has_to() -> None:
    # by 2 s the quick one first is right in 0.64 of all cases, the good one first in 0.74; both in a row take 2.6 s
    latency_s, probability = [1.0, 1.6], [0.6, 0.9]
    for by_s, probability_wanted, order in ((2, 0.6, [0, 1]), (2, 0.7, [1, 0]), (2, 1, [1, 0]), (9, 0.95, [0, 1])):
        target = AnswerTarget(probability=probability_wanted, by_s=by_s)
        assert order_of(latency_s, probability, NONE, Objective(target=target)) == order


def test_model_that_hardly_answers_in_time_leaves_it_to_the_quicker_one() -> None:
    # of 0.5 s the good one takes twice as much, the quick one less
    assert order_of([1.0, 0.4], [0.95, 0.3], NONE, Objective(time_left_s=0.5))[0] == 1
    assert order_of([1.0, 0.4], [0.95, 0.3], NONE, Objective(time_left_s=50.0))[0] == 0


@pytest.mark.parametrize(("worth_s", "first"), [pytest.param(30.0, 0, id="dear"), pytest.param(1.0, 1, id="cheap")])
def test_single_attempt_weighs_seconds_against_what_an_answer_is_worth(worth_s: float, first: int) -> None:
    # 2 + 0.02 worth against 0.1 + 0.7 worth
    assert order_of([2.0, 0.1], [0.98, 0.3], NONE, Objective(worth_s=worth_s, attempts_left=1)) == [first]


def test_client_that_retries_pays_for_noticing_each_time() -> None:
    # 1.0 / 0.5 = 2 s before 3 / 0.9 = 3.3 s; with 5 s each 12 s and 8.9 s
    assert order_of([1.0, 3.0], [0.5, 0.9], NONE)[0] == 0
    assert order_of([1.0, 3.0], [0.5, 0.9], NONE, Objective(notice_s=5.0))[0] == 1


def test_without_burdens_the_order_is_that_of_latency_over_probability() -> None:
    # 10, 5 and 4 s
    assert order_of([1.0, 4.0, 2.0], [0.1, 0.8, 0.5], np.zeros((3, 3))) == [2, 1, 0]


def test_failure_of_a_model_that_is_rarely_right_does_not_keep_it_from_being_asked_first() -> None:
    """Both wrong cannot be likelier than the good one wrong: 3 + 0.89 * 50 + ... is less than 50 + 0.32 * 3 + ..."""
    halved = np.ones((2, 2))
    assert order_of([3.4, 53.0], [0.11, 0.68], halved) == [0, 1]
    # 0.32 for the good one, then 1 - 0.11 / (0.11 + 0.89 * 2) for the other
    both = 0.32 * (1 - 0.11 / 1.89)
    assert chances_all_wrong([0.68, 0.11], halved).tolist() == pytest.approx([1.0, 0.32, 0.89, both])


@pytest.mark.parametrize("count", range(2, MAX_ORDERED + 1))
def test_more_models_are_all_wrong_no_more_often_than_fewer(count: int) -> None:
    for seed in range(5):
        _, chances, burdens = pool(seed, count)
        probability = sorted(chances, reverse=True)
        found = chances_all_wrong(probability, np.clip(burdens, 0.0, 1.0))
        for chosen in range(1 << count):
            members = [model for model in range(count) if chosen >> model & 1]
            assert found[chosen] == pytest.approx(all_wrong(members, probability, np.clip(burdens, 0.0, 1.0)))
            assert all(found[chosen] <= found[chosen ^ 1 << model] for model in members)


def test_model_whose_failure_dooms_the_other_comes_later_than_by_latency_over_probability() -> None:
    # L/Q says a (1.67) before b (1.8). When a is wrong b is hardly ever right, so b first spares no time;
    # of a and the dear third one the first failure tells the same
    burdens = np.array([[0.0, 99.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    latency_s, probability = [1.0, 0.9, 20.0], [0.6, 0.5, 0.9]
    assert order_of(latency_s, probability, np.zeros((3, 3))) == [0, 1, 2]
    assert order_of(latency_s, probability, burdens) == [0, 2, 1]


def test_what_others_wait_counts_as_seconds_do_but_takes_no_time() -> None:
    for objective in (UNTIL_RIGHT, Objective(time_left_s=6.0), Objective(attempts_left=1)):
        wrong = chances_all_wrong([0.9, 0.8], NONE)
        assert next(best_order([1.0, 1.1], wrong, objective)) == 0
        assert next(best_order([1.0, 1.1], wrong, objective, external_s=[9.0, 0.0])) == 1


def test_tie_goes_to_the_earlier_model() -> None:
    assert order_of([1.0, 1.0], [0.5, 0.5], NONE) == [0, 1]


def test_more_models_than_can_be_ordered_are_refused() -> None:
    with pytest.raises(ValueError, match=r"7 attempts to order; at most 6 are allowed"):
        chances_all_wrong([0.5] * 7, np.zeros((7, 7)))


def test_attempts_that_are_not_given_from_the_likeliest_on_are_refused() -> None:
    with pytest.raises(ValueError, match=r"chances \[0\.5, 0\.6\]: descending ones are wanted"):
        chances_all_wrong([0.5, 0.6], NONE)


def test_cannot_answer_in_time_is_one_of_twenty() -> None:
    assert float(done_by(np.array(CANNOT_SHARE), 1.0)) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_laar_chooses_the_first_of_the_best_order_and_ranks_in_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"m{index}" for index in range(9)]
    joint = Joint(index={name: row for row, name in enumerate(names)}, burdens=rng.uniform(0, 9, (9, 9)))
    candidates = [
        candidate(name, latency_s=float(rng.uniform(0.1, 9)), probability=float(rng.uniform(0.1, 0.9)))
        for name in names
    ]
    by_score = sorted(candidates, key=lambda c: c.score_s)
    head = by_score[:MAX_ORDERED]
    among = joint.among([c.model for c in head])
    order = order_of([c.latency_s for c in head], [c.probability for c in head], among)
    expected = [head[index] for index in order] + by_score[MAX_ORDERED:]
    decision = decide(POLICIES["laar"](()), candidates, situation=Situation(joint=joint))
    assert decision is not None
    assert decision.chosen is expected[0]
    assert rank(POLICIES["laar"](()), candidates, situation=Situation(joint=joint)) == expected


def test_best_single_attempt_is_found_among_many_models() -> None:
    quick = [candidate(f"q{index}", latency_s=0.1, probability=0.3) for index in range(20)]
    good = candidate("good", latency_s=2.0, probability=0.98)
    once = Situation(objective=Objective(attempts_left=1))
    for situation, expected in ((once, "good"), (Situation(), "q0")):
        decision = decide(POLICIES["laar"](()), [*quick, good], situation=situation)
        assert decision is not None
        assert decision.chosen.model == expected


@pytest.mark.parametrize(
    ("again", "expected"),
    [pytest.param(0.6, "a", id="likely-right-the-second-time"), pytest.param(0.004, "b", id="hardly-ever-right-then")],
)
def test_model_that_was_wrong_competes_by_its_chance_after_that(again: float, expected: str) -> None:
    joint = Joint(index={"a": 0, "b": 1}, burdens=np.array([[1.0, 0.0], [0.0, 1.0]]))
    tried = candidate("a", latency_s=1.0, probability=again, tries=1, exclusion=Exclusion.WAS_WRONG)
    untried = candidate("b", latency_s=10.0, probability=0.05)
    situation = Situation(objective=Objective(has_samples=True), joint=joint)
    decision = decide(POLICIES["laar"](()), [tried, untried], situation=situation)
    assert decision is not None
    assert decision.chosen.model == expected
    for policy in ("fastest", "most-accurate"):
        assert rank(POLICIES[policy](()), [tried, untried], situation=situation)[0].model == "b"


@pytest.mark.parametrize("count", [2, 3])
def test_samples_are_ordered_as_well_as_the_best_of_all_sequences(count: int) -> None:
    """Every sequence of three attempts, the same model again included, each with its chance after all before it."""
    rng, excess = np.random.default_rng(count), []
    for _ in range(60):
        names = "abc"[:count]
        latency_s, chances = rng.uniform(0.1, 9.0, count), rng.uniform(0.05, 0.95, count)
        burdens = rng.uniform(0.0, 1.0, (count, count)) + np.diag(rng.uniform(0.0, 3.0, count))
        candidates = [
            candidate(name, latency_s=latency_s[row], probability=chances[row]) for row, name in enumerate(names)
        ]
        joint = Joint(index={name: row for row, name in enumerate(names)}, burdens=burdens)
        situation = Situation(objective=Objective(attempts_left=3, worth_s=30.0, has_samples=True), joint=joint)

        def cost_s(
            rows: Sequence[int], chances: Any = chances, burdens: Any = burdens, takes: Any = latency_s
        ) -> float:
            # a sample is a model of its own that is alike
            alike = burdens.take(rows, axis=0).take(rows, axis=1)
            sampled = [takes[row] for row in rows], [float(chances[row]) for row in rows]
            return expected_s(range(len(rows)), *sampled, alike, worth_s=30.0)

        best = {
            row: min(cost_s((row, *rest)) for rest in itertools.product(range(count), repeat=2)) for row in range(count)
        }
        decision = decide(POLICIES["laar"](()), candidates, situation=situation)
        assert decision is not None
        excess.append(best[joint.index[decision.chosen.model]] / min(best.values()) - 1)
    assert np.mean(excess) <= 0.001
    assert max(excess) <= 0.02


@pytest.mark.parametrize("policy", ["laar", "fastest", "most-accurate"])
def test_model_that_cannot_answer_in_time_is_asked_only_if_no_other_can(policy: str) -> None:
    slow = candidate("a", latency_s=0.1, probability=0.9, exclusion=Exclusion.TOO_SLOW)
    tried = candidate("b", latency_s=9.0, probability=0.1, tries=1, exclusion=Exclusion.TRIED)
    assert [c.model for c in rank(POLICIES[policy](()), [slow, tried])] == ["b", "a"]


def test_other_policies_do_not_care_who_fails_together() -> None:
    joint = Joint(index={"a": 0, "b": 1}, burdens=np.array([[0.0, 99.0], [0.0, 0.0]]))
    candidates = [candidate("b", latency_s=1.0), candidate("a", latency_s=2.0)]
    assert [c.model for c in rank(POLICIES["fastest"](()), candidates, situation=Situation(joint=joint))] == ["b", "a"]


def test_objective_is_open_where_every_attempt_can_be_made() -> None:
    assert UNTIL_RIGHT.is_open_for([1.0, 2.0])
    assert Objective(time_left_s=inf, attempts_left=2).is_open_for([1.0, 2.0])
    assert not Objective(attempts_left=1).is_open_for([1.0, 2.0])
    assert not Objective(time_left_s=4.0).is_open_for([1.0, 2.0])
