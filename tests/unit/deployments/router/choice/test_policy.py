import itertools
import random
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from deployments.router.choice.policy import POLICIES, Candidate, ChoiceReason, Exclusion, PolicyName, decide, rank


def candidate(model: str, *, latency_s: float = 1.0, probability: float = 0.5, **other: Any) -> Candidate:
    values: dict[str, Any] = {
        "model": model,
        "probability": probability,
        "latency_s": latency_s,
        "idle_latency_s": latency_s,
        "prompt_tokens": 10,
        "bucket": 0,
        "in_flight": 0,
    }
    return Candidate(**(values | other))


def chosen(policy: str, candidates: list[Candidate], *, session: str = "", turn: int = 0) -> str:
    decision = decide(POLICIES[policy](("a", "b", "c")), candidates, session=session, turn=turn)
    assert decision is not None
    return decision.chosen.model


def expected_time_s(order: Sequence[Candidate]) -> float:
    total, still_wrong = 0.0, 1.0
    for one in order:
        total += still_wrong * one.latency_s
        still_wrong *= 1 - one.probability
    return total


def test_laar_prefers_the_lowest_latency_per_probability() -> None:
    quick_and_bad = candidate("a", latency_s=1.0, probability=0.1)  # 10 s
    slow_and_good = candidate("b", latency_s=4.0, probability=0.8)  # 5 s
    assert chosen("laar", [quick_and_bad, slow_and_good]) == "b"


@pytest.mark.parametrize("seed", range(20))
def test_laar_order_has_the_least_expected_time_of_all_orders(seed: int) -> None:
    rng = random.Random(seed)
    pool = [candidate(f"m{i}", latency_s=rng.uniform(0.1, 9), probability=rng.uniform(0.05, 0.95)) for i in range(5)]
    best = min(expected_time_s(order) for order in itertools.permutations(pool))
    assert expected_time_s(rank(POLICIES["laar"](()), pool)) == pytest.approx(best, rel=1e-12)


def test_tie_goes_to_the_smaller_name() -> None:
    assert chosen("laar", [candidate("b"), candidate("a")]) == "a"


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_order_of_candidates_never_changes_the_choice(policy: str) -> None:
    pool = [candidate("a", latency_s=2.0), candidate("b", in_flight=3), candidate("c", probability=0.7)]
    choices = {chosen(policy, list(order), session="s", turn=4) for order in itertools.permutations(pool)}
    assert len(choices) == 1


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_untried_healthy_model_comes_before_any_other(policy: str) -> None:
    pool = [
        candidate("a", latency_s=0.1, probability=0.9, exclusion=Exclusion.UNHEALTHY),
        candidate("b", latency_s=0.1, probability=0.9, exclusion=Exclusion.TRIED),
        candidate("c", latency_s=9.0, probability=0.1, in_flight=9),
    ]
    assert [c.model for c in rank(POLICIES[policy](("a", "b", "c")), pool)] == ["c", "b", "a"]


def test_least_tried_model_comes_first_among_the_tried() -> None:
    twice = candidate("a", tries=2, latency_s=0.1, exclusion=Exclusion.TRIED)
    once = candidate("b", tries=1, latency_s=9.0, exclusion=Exclusion.TRIED)
    assert chosen("laar", [twice, once]) == "b"


def test_alternative_is_another_model_untried_and_healthy() -> None:
    policy = POLICIES["laar"](())
    tried = candidate("b", exclusion=Exclusion.TRIED)
    decisions = [decide(policy, pool) for pool in ([candidate("a"), tried], [candidate("a"), candidate("b")], [tried])]
    assert [decision.has_alternative for decision in decisions if decision] == [False, True, False]


@pytest.mark.parametrize(
    "exclusion",
    [Exclusion.CONTEXT_EXCEEDED, Exclusion.REFUSED, Exclusion.SAME_ANSWER_EXPECTED, Exclusion.FAILED_REPEATEDLY],
)
def test_hopeless_model_is_never_chosen(exclusion: Exclusion) -> None:
    assert decide(POLICIES["laar"](()), [candidate("a", exclusion=exclusion)]) is None


def test_load_aware_takes_the_least_loaded() -> None:
    assert chosen("load-aware", [candidate("a", in_flight=2), candidate("b", in_flight=1, latency_s=9.0)]) == "b"


def test_round_robin_starts_one_model_further_each_turn() -> None:
    pool = [candidate("a"), candidate("b"), candidate("c")]
    assert [chosen("round-robin", pool, turn=turn) for turn in range(4)] == ["a", "b", "c", "a"]


def test_session_keeps_its_model_when_another_one_leaves() -> None:
    pool = [candidate("a"), candidate("b"), candidate("c")]
    for session in map(str, range(20)):
        home = chosen("session-affinity", pool, session=session)
        gone = next(c for c in pool if c.model != home)
        assert chosen("session-affinity", [c for c in pool if c is not gone], session=session) == home


def test_sessions_spread_over_all_models() -> None:
    pool = [candidate("a"), candidate("b"), candidate("c")]
    homes = [chosen("session-affinity", pool, session=str(number)) for number in range(300)]
    assert min(homes.count(model) for model in "abc") > 60


def test_fastest_looks_at_the_idle_engine() -> None:
    busy = candidate("a", latency_s=9.0, idle_latency_s=1.0)
    assert chosen("fastest", [busy, candidate("b", latency_s=2.0)]) == "a"


def test_most_accurate_ignores_latency() -> None:
    assert chosen("most-accurate", [candidate("a", probability=0.9, latency_s=99.0), candidate("b")]) == "a"


def test_raising_the_latency_of_a_model_not_chosen_never_gets_it_chosen() -> None:
    rng = random.Random(7)
    for _ in range(100):
        pool = [candidate(m, latency_s=rng.uniform(0.1, 5), probability=rng.uniform(0.1, 0.9)) for m in "abc"]
        home = chosen("laar", pool)
        worse = [
            c if c.model == home else candidate(c.model, latency_s=c.latency_s + 1, probability=c.probability)
            for c in pool
        ]
        assert chosen("laar", worse) == home


def test_decision_names_its_reason() -> None:
    decision = decide(POLICIES["most-accurate"](()), [candidate("a")])
    assert decision is not None
    assert decision.reason is ChoiceReason.MOST_ACCURATE


def test_threshold_takes_the_fastest_of_those_that_are_good_enough() -> None:
    slow_and_good = candidate("a", latency_s=4.0, probability=0.8)
    quick_and_nearly_as_good = candidate("b", latency_s=1.0, probability=0.71)
    quickest_and_bad = candidate("c", latency_s=0.1, probability=0.5)
    pool = [slow_and_good, quick_and_nearly_as_good, quickest_and_bad]
    assert chosen("threshold", pool) == "b"
    assert [c.model for c in rank(POLICIES["threshold"](()), pool)] == ["b", "a", "c"]


def test_every_policy_that_a_config_can_name_exists() -> None:
    assert set(get_args(PolicyName)) == set(POLICIES)
