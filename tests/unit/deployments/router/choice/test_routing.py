"""The numbers behind a choice, with models whose prompt takes time to read."""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import replace

from deployments.contract.reply import Reply
from deployments.router.attempt.earlier import Earlier
from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.chances import HeardVerdict
from deployments.router.choice.policy import Candidate, ChoiceReason, Decision, Exclusion
from deployments.router.choice.routing import Routing
from deployments.router.http.request import AUTO, Endpoint, LaarOptions, RoutedRequest
from deployments.router.model import Medium, Model, Price
from deployments.router.settings import Learning
from deployments.router.tenants.tenant import Tenant
from deployments.verifier.checks import SPEC
from profiles.cell import Cell
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile
from tests.unit.deployments.router.attempt.test_runner import NoDetector

WRONG = Reply(200, b"{}", text="no")


def routing(
    *,
    correct: dict[str, int],
    pairs: tuple[PairCounts, ...] = (),
    explore_share: float = 0.0,
    half_life_verdicts: float = 1000.0,
    cache: bool = True,
) -> Routing:
    """Models that read 100 tokens a second and are right so many times of 100, all as fast as each other."""
    models = {
        name: ModelProfile(
            latency=Latency(overhead_s=1, prefill_s_per_token=0.01, decode_s_per_token=0),
            chars_per_token={"unknown": 1.0},
            chars_per_symbol_token=1.0,
            cells=(CellCounts(language="en", bucket=0, correct=count, tried=100),),
        )
        for name, count in correct.items()
    }
    profile = Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(1000,), models=models, pairs=pairs)
    return Routing(
        models=[Model(name=name, context_tokens=10_000, has_prefix_cache=cache) for name in correct],
        profile=profile,
        policy="laar",
        detector=NoDetector(),
        learning=Learning(explore_share=explore_share, half_life_verdicts=half_life_verdicts),
    )


def request(model: str = AUTO, *, verified: bool = True) -> RoutedRequest:
    verify = SPEC.validate_python({"type": "contains", "value": "yes"} if verified else {"type": "none"})
    return RoutedRequest(
        endpoint=Endpoint.CHAT,
        body=b"",
        model=model,
        texts=("a" * 100,),
        stream=False,
        max_tokens=10,
        is_repeatable=False,
        options=LaarOptions(),
        verify=verify,
    )


def log(*failed: str) -> Tries:
    found = Tries(max_attempts=10, deadline_at_s=100.0, is_repeatable=False)
    for model in failed:
        found.add(Attempt(model=model, status=Status.WRONG, reason="", latency_s=1.0, probability=0.5, reply=WRONG))
    return found


def candidates(found: Routing, *failed: str) -> dict[str, Candidate]:
    asked = request()
    demand = found.demand(asked, found.features(asked))
    return {c.model: c for c in found.builder.candidates(demand, log(*failed), 0.0)}


def decision(
    found: Routing, *failed: str, model: str = AUTO, verified: bool = True, may_explore: bool = False
) -> Decision:
    asked = request(model, verified=verified)
    demand = found.demand(asked, found.features(asked))
    made = found.decide(asked, demand, log(*failed), turn=0, now_s=0.0, may_explore=may_explore)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("cache", "again_s"), [pytest.param(True, 1.0, id="cached"), pytest.param(False, 2.0, id="not")]
)
def test_prompt_is_read_once_by_an_engine_that_keeps_it(cache: bool, again_s: float) -> None:
    found = routing(correct={"a": 50, "b": 50}, cache=cache)
    assert candidates(found)["a"].latency_s == pytest.approx(2.0)
    again = candidates(found, "a")
    assert again["a"].latency_s == pytest.approx(again_s)
    assert again["b"].latency_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("cache", "tenant", "expected_s"),
    [
        # of 300 tokens 100 have been read
        pytest.param(True, "t", 3.0, id="goes-on"),
        pytest.param(False, "t", 4.0, id="keeps-nothing"),
        pytest.param(True, "u", 4.0, id="of-another-tenant"),
    ],
)
def test_model_that_has_read_a_conversation_has_less_to_read(cache: bool, tenant: str, expected_s: float) -> None:
    found = routing(correct={"a": 50, "b": 50}, cache=cache)
    asked = replace(request(), tenant=Tenant(id="t", name="t"))
    found.builder.has_read(found.demand(asked, found.features(asked)), "a")
    turn = replace(
        request(), texts=(*asked.texts, "b" * 100, "c" * 100), tenant=Tenant(id=tenant, name=tenant), is_repeatable=True
    )
    demand = found.demand(turn, found.features(turn))
    seen = {c.model: c for c in found.builder.candidates(demand, log(), 0.0)}
    assert seen["a"].latency_s == pytest.approx(expected_s)
    assert seen["b"].latency_s == pytest.approx(4.0)
    assert seen["a"].prompt_tokens == 300
    forecast = found.builder.forecast(demand, "a", log())
    assert forecast is not None
    assert forecast.read_s == pytest.approx(expected_s - 1)
    # that the other one fails changes nothing of it
    assert {c.model: c.latency_s for c in found.builder.candidates(demand, log("b"), 0.0)}["a"] == pytest.approx(
        expected_s
    )


def test_model_that_fails_with_the_first_one_is_not_asked_second() -> None:
    twins = tuple(
        PairCounts(failed=one, model=other, language="en", bucket=0, correct=2, tried=40)
        for one, other in (("a", "b"), ("b", "a"))
    )
    apart = PairCounts(failed="a", model="c", language="en", bucket=0, correct=22, tried=40)
    found = routing(correct={"a": 60, "b": 58, "c": 55}, pairs=(*twins, apart))
    asked = request()
    demand = found.demand(asked, found.features(asked))
    ranked = found.rank(asked, demand, log(), found.builder.candidates(demand, log(), 0.0), turn=0, now_s=0.0)
    assert [c.model for c in ranked] == ["a", "c", "b"]


def test_chance_left_counts_all_models_that_may_still_be_asked() -> None:
    found = routing(correct={"a": 50, "b": 50, "c": 50})
    assert decision(found).chance_left == 1.0
    # nine samples are left, three of each; after k failures of its own a model is right with 1 / (2 + 2k)
    again = 3 / 4 * 5 / 6
    assert decision(found, "a").chance_left == pytest.approx(1 - again * 7 / 8 * (again / 2) ** 2, abs=0.01)


def test_chance_left_counts_samples_of_the_same_model() -> None:
    """Where two samples of one model are better than two models, both count, and no model is dropped for them."""
    found = paced({"a": (1.0, 500), "b": (9.0, 100), "c": (9.0, 100)})
    tries = Tries(max_attempts=3, deadline_at_s=100.0, is_repeatable=False)
    tries.add(Attempt(model="b", status=Status.WRONG, reason="", latency_s=9.0, probability=0.1, reply=WRONG))
    # a failure of the poor one tells little of the good one, which is then right with 1/4 after its own failure
    assert first(found, request(), tries).chance_left == pytest.approx(1 - 0.5 * 0.75, abs=0.05)


def test_named_model_is_only_compared_with_itself() -> None:
    found = routing(correct={"a": 50, "b": 90})
    made = decision(found, "a", model="a")
    assert (made.chosen.model, made.reason, made.has_alternative) == ("a", ChoiceReason.NAMED, False)
    # nine samples, the first of which is right with 1/4
    assert made.chance_left == pytest.approx(1 - np.prod([1 - 1 / (2 + 2 * k) for k in range(1, 10)]), abs=0.02)


def test_exploration_only_starts_requests_that_are_verified_and_free_to_choose() -> None:
    found = routing(correct={"a": 50, "b": 50}, explore_share=0.1)
    for _ in range(200):
        assert decision(found).reason is not ChoiceReason.EXPLORATION
        assert decision(found, verified=False, may_explore=True).reason is not ChoiceReason.EXPLORATION
        assert decision(found, model="a", may_explore=True).reason is ChoiceReason.NAMED
        assert decision(found, "a", may_explore=True).reason is not ChoiceReason.EXPLORATION
    reasons = [decision(found, may_explore=True).reason for _ in range(200)]
    assert 10 < reasons.count(ChoiceReason.EXPLORATION) <= 20


def test_exploration_leaves_requests_alone_that_name_another_policy() -> None:
    found = routing(correct={"a": 50, "b": 50}, explore_share=0.1)
    asked = request()
    fastest = replace(asked, options=LaarOptions(policy="fastest"))
    demand = found.demand(fastest, found.features(fastest))
    for _ in range(200):
        made = found.decide(fastest, demand, log(), turn=0, now_s=0.0, may_explore=True)
        assert made is not None
        assert made.reason is ChoiceReason.FASTEST


def test_exploration_tries_models_that_are_not_thought_best() -> None:
    found = routing(correct={"a": 60, "b": 50}, explore_share=0.1)
    made = [decision(found, may_explore=True) for _ in range(1000)]
    explored = {one.chosen.model for one in made if one.reason is ChoiceReason.EXPLORATION}
    usual = {one.chosen.model for one in made if one.reason is not ChoiceReason.EXPLORATION}
    assert (explored, usual) == ({"a", "b"}, {"a"})


def fallen() -> Routing:
    """`a` is right at 0.9 by the profile; many verdicts have said otherwise, and then there were many more of `b`."""
    found = routing(correct={"a": 90, "b": 20}, explore_share=0.1, half_life_verdicts=30)
    cell = Cell("default", "en", 0)
    for number in range(150):
        found.observe(HeardVerdict("a" if number < 50 else "b", cell, number % 5 == 0 and number >= 50))
    assert candidates(found)["a"].probability < 0.05
    return found


def test_model_that_fell_is_asked_now_and_then_at_the_chance_that_is_believed_of_it() -> None:
    found = fallen()
    made = [decision(found, may_explore=True) for _ in range(300)]
    explored = [one for one in made if one.chosen.model == "a"]
    assert {one.reason for one in explored} == {ChoiceReason.EXPLORATION}
    assert max(one.chosen.probability for one in explored) < 0.05
    assert 5 < len(explored) <= 30


@pytest.mark.parametrize(
    ("most_attempts", "deadline_s", "slow_s", "explores"),
    [
        pytest.param(2, 100.0, 2.0, True, id="can-bear-it"),
        pytest.param(1, 100.0, 2.0, False, id="one-attempt"),
        pytest.param(2, 4.1, 2.0, True, id="just-in-time"),
        pytest.param(2, 3.9, 2.0, False, id="no-time-for-both"),
        pytest.param(2, 100.0, 5.9, True, id="not-too-dear"),
        pytest.param(2, 100.0, 6.1, False, id="too-dear"),
    ],
)
def test_only_requests_explore_that_can_bear_it(
    most_attempts: int, deadline_s: float, slow_s: float, explores: bool
) -> None:
    found = fallen()
    asked = request()
    demand = found.demand(asked, found.features(asked))
    demand = dataclasses.replace(demand, idle_s=np.array([slow_s, 2.0]))
    tries = Tries(max_attempts=most_attempts, deadline_at_s=deadline_s, is_repeatable=False)
    made = [found.decide(asked, demand, tries, turn=0, now_s=0.0, may_explore=True) for _ in range(200)]
    assert any(one is not None and one.chosen.model == "a" for one in made) is explores


def test_request_may_name_another_policy_than_the_configured_one() -> None:
    found = routing(correct={"a": 90, "b": 10})
    asked = request()
    turned = replace(asked, options=LaarOptions(policy="round-robin"))
    demand = found.demand(turned, found.features(turned))
    made = found.decide(turned, demand, log(), turn=1, now_s=0.0)
    assert made is not None
    assert (made.chosen.model, made.reason) == ("b", ChoiceReason.ROUND_ROBIN)
    assert decision(found).chosen.model == "a"


def paced(models: dict[str, tuple[float, int]], *pairs: PairCounts) -> Routing:
    """Models that take so many seconds and are right so many times of 1000."""
    profiles = {
        name: ModelProfile(
            latency=Latency(overhead_s=latency_s, prefill_s_per_token=0, decode_s_per_token=0, decode_growth=0),
            chars_per_token={"unknown": 1.0},
            chars_per_symbol_token=1.0,
            cells=(CellCounts(language="en", bucket=0, correct=count, tried=1000),),
        )
        for name, (latency_s, count) in models.items()
    }
    profile = Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(1000,), models=profiles, pairs=pairs)
    known = [Model(name=name, context_tokens=10_000) for name in models]
    return Routing(models=known, profile=profile, policy="laar", detector=NoDetector())


def first(found: Routing, asked: RoutedRequest, tries: Tries) -> Decision:
    made = found.decide(asked, found.demand(asked, found.features(asked)), tries, turn=0, now_s=0.0)
    assert made is not None
    return made


GOOD_AND_FAST = {"good": (2.0, 980), "fast": (0.1, 300)}


@pytest.mark.parametrize(
    ("laar", "expected"),
    [
        pytest.param({}, "good", id="one-answer-is-all-it-gets"),
        pytest.param({"worth_s": 1.0}, "fast", id="a-wrong-answer-costs-little"),
        pytest.param({"client_retries": True, "notice_s": 0.0}, "fast", id="client-retries-at-once"),
        pytest.param({"client_retries": True, "notice_s": 5.0}, "good", id="client-takes-long-to-notice"),
        pytest.param({"retry_of": "laar-" + "0" * 32, "notice_s": 0.0}, "fast", id="client-has-retried"),
    ],
)
def test_request_without_verification_goes_where_one_answer_is_best(laar: dict[str, object], expected: str) -> None:
    asked = replace(request(verified=False), options=LaarOptions.model_validate(laar))
    assert first(paced(GOOD_AND_FAST), asked, log()).chosen.model == expected


@pytest.mark.parametrize(("attempts", "expected"), [(1, "good"), (2, "fast")])
def test_last_attempt_goes_to_the_model_most_worth_it(attempts: int, expected: str) -> None:
    tries = Tries(max_attempts=attempts, deadline_at_s=100.0, is_repeatable=True)
    assert first(paced(GOOD_AND_FAST), request(), tries).chosen.model == expected


@pytest.mark.parametrize(("deadline_s", "expected"), [(0.5, "quick"), (60.0, "good")])
def test_deadline_decides_which_model_is_asked(deadline_s: float, expected: str) -> None:
    found = paced({"good": (1.0, 950), "quick": (0.4, 300)})
    tries = Tries(max_attempts=10, deadline_at_s=deadline_s, is_repeatable=True)
    made = first(found, request(), tries)
    assert made.chosen.model == expected
    demand = found.demand(request(), found.features(request()))
    slow = {c.model: c.exclusion for c in found.builder.candidates(demand, tries, 0.0)}
    assert slow == {"good": Exclusion.TOO_SLOW if deadline_s < 1 else None, "quick": None}


def test_chance_left_is_that_of_the_attempts_left() -> None:
    found = paced(dict.fromkeys("abcde", (1.0, 200)))
    tries = Tries(max_attempts=2, deadline_at_s=100.0, is_repeatable=True)
    tries.add(Attempt(model="a", status=Status.WRONG, reason="", latency_s=1.0, probability=0.2, reply=WRONG))
    assert first(found, request(), tries).chance_left == pytest.approx(0.2, abs=0.01)


def aimed(probability: float, by_s: float = 2.5) -> RoutedRequest:
    laar = {"target": {"probability": probability, "by_s": by_s}}
    return replace(request(), options=LaarOptions.model_validate(laar), is_repeatable=True)


def with_target(*failed: tuple[str, float]) -> Tries:
    tries = Tries(max_attempts=3, deadline_at_s=100.0, is_repeatable=True, target_at_s=2.5)
    for model, probability in failed:
        wrong = Attempt(model=model, status=Status.WRONG, reason="", latency_s=0.1, probability=probability)
        tries.add(wrong)
    return tries


@pytest.mark.parametrize(
    ("probability", "expected"), [pytest.param(0.2, "fast", id="little"), pytest.param(0.8, "good", id="much")]
)
def test_target_decides_which_model_is_asked(probability: float, expected: str) -> None:
    # the good one is in time with 0.8, but hardly after the other one
    found = paced({"good": (2.0, 980), "fast": (1.0, 600)})
    made = first(found, aimed(probability), with_target())
    assert made.chosen.model == expected
    assert made.promised is not None
    assert made.promised > probability - 0.05


def test_promise_is_told_with_the_first_choice_and_only_where_there_is_a_target() -> None:
    found = paced(GOOD_AND_FAST)
    assert first(found, request(), log()).promised is None
    assert first(found, aimed(0.9), with_target(("fast", 0.3))).promised is None


def test_promise_to_a_client_that_asks_again_counts_all_attempts_that_may_follow() -> None:
    found = paced({"a": (0.1, 300), "b": (0.1, 600), "c": (0.1, 600)})
    tries = with_target()
    tries.earlier = Earlier(wrong={"a": 1}, num_attempts=1)
    made = first(found, aimed(0.5), tries)
    assert made.promised is not None
    assert made.promised == pytest.approx(made.chance_left, abs=0.01)
    assert made.promised > made.chosen.probability + 0.1


@pytest.mark.parametrize(
    ("believed", "expected"),
    [
        # half of what the first left would do, which the quick one has; had the first been hopeless, 0.9 were left
        pytest.param(0.8, "fair", id="a-failure-that-was-allowed-for"),
        pytest.param(0.0, "good", id="one-that-was-expected"),
    ],
)
def test_failures_that_an_order_allows_for_make_its_target_no_harder(believed: float, expected: str) -> None:
    found = paced({"a": (0.1, 800), "good": (0.8, 950), "fair": (0.4, 700)})
    tries = with_target(("a", believed))
    tries.target_at_s = 1.05
    assert first(found, aimed(0.9), tries).chosen.model == expected


def test_explored_choices_leave_targets_alone() -> None:
    found = routing(correct={"a": 50, "b": 50}, explore_share=0.1)
    asked = aimed(0.5)
    demand = found.demand(asked, found.features(asked))
    made = [found.decide(asked, demand, with_target(), turn=0, now_s=0.0, may_explore=True) for _ in range(50)]
    assert ChoiceReason.EXPLORATION not in {one.reason for one in made if one is not None}


def test_promises_of_a_target_are_the_choice_the_cheapest_and_the_surest() -> None:
    found = paced({"good": (2.0, 980), "fast": (1.0, 600)})
    found.models["good"] = dataclasses.replace(found.models["good"], price=Price(prompt_per_million=1e6))
    asked, tries = aimed(0.7), with_target()
    demand = found.demand(asked, found.features(asked))
    told = found.promises(asked, demand, tries, found.builder.candidates(demand, tries, 0.0), 0.0)
    assert {name: one.models for name, one in told.items()} == {
        "chosen": ("good", "fast"),
        "cheapest": ("fast", "good"),
        "surest": ("good", "fast"),
    }
    assert told["surest"].probability >= 0.7 > told["cheapest"].probability
    # the second is asked after the first was wrong: 2 + 0.02 * 1 against 1 + 0.4 * 2, and a token costs one
    assert told["chosen"].seconds == pytest.approx(2.02, abs=0.02)
    assert told["cheapest"].engine_s == pytest.approx(1.8, abs=0.02)
    assert told["chosen"].spend == pytest.approx(100, rel=0.01)
    assert told["cheapest"].spend == pytest.approx(40, rel=0.05)
    assert found.promises(request(), demand, tries, [], 0.0) == {}


def test_sampling_model_is_asked_again_where_that_is_better_than_any_other() -> None:
    together = (PairCounts(failed="b", model="a", language="en", bucket=0, correct=30, tried=40),)
    for pairs in (together, ()):
        found = paced({"a": (1.0, 800), "b": (10.0, 50)}, *pairs)
        tries = Tries(max_attempts=10, deadline_at_s=1000.0, is_repeatable=False)
        tries.add(Attempt(model="a", status=Status.WRONG, reason="", latency_s=1.0, probability=0.8, reply=WRONG))
        made = first(found, request(), tries)
        assert made.chosen.model == "a"
        demand = found.demand(request(), found.features(request()))
        assert found.builder.candidates(demand, tries, 0.0)[0].exclusion is Exclusion.WAS_WRONG


@pytest.mark.parametrize(
    ("media", "tenant", "expected"),
    [
        pytest.param({Medium.IMAGE}, None, ["sees"], id="image"),
        pytest.param({Medium.IMAGE, Medium.AUDIO}, None, [], id="all-of-them"),
        pytest.param(set(), None, ["blind", "sees"], id="text"),
        pytest.param({Medium.IMAGE}, {"blind"}, [], id="of-the-tenant"),
    ],
)
def test_only_models_that_read_all_of_a_request_are_candidates(
    media: set[Medium], tenant: set[str] | None, expected: list[str]
) -> None:
    found = Routing(
        models=[
            Model(name="blind", context_tokens=10_000),
            Model(name="sees", context_tokens=10_000, media=frozenset({Medium.IMAGE})),
        ],
        profile=NO_PROFILE,
        policy="laar",
        detector=NoDetector(),
    )
    who = Tenant(id="t", name="t", models=None if tenant is None else frozenset(tenant))
    asked = replace(request(), media=frozenset(media), tenant=who)
    demand = found.demand(asked, found.features(asked))
    assert [c.model for c in found.builder.candidates(demand, log(), 0.0)] == expected


@pytest.mark.parametrize(
    ("bar", "is_asked"),
    [
        pytest.param("", True, id="its-answer-alone"),
        pytest.param("repeatable", True, id="would-say-the-same"),
        pytest.param("not_running", False, id="not-running"),
        pytest.param("unhealthy", False, id="unhealthy"),
        pytest.param("too_long", False, id="context-exceeded"),
        pytest.param("full", False, id="was-full"),
    ],
)
def test_repair_lifts_only_what_its_own_answer_says_against_a_model(bar: str, is_asked: bool) -> None:
    found, asked, tries = routing(correct={"a": 50, "b": 50}), request(), log("a")
    tries.is_repeatable = bar == "repeatable"
    demand = found.demand(asked, found.features(asked))
    if bar == "not_running":
        found.load.set_replicas("a", 0)
    if bar == "unhealthy":
        for _ in range(20):
            found.load.failed("a", 0.0)
    if bar == "too_long":
        demand = dataclasses.replace(demand, too_long=[0])
    if bar == "full":
        full = Attempt(model="a", status=Status.ERROR, reason="", latency_s=0.0, probability=0.5, reply=Reply(429, b""))
        tries.attempts.insert(0, full)
    made = found.repair(asked, demand, tries, chance=0.9, turn=0, now_s=0.0, always=True)
    assert (made is not None) == is_asked
    assert made is None or (made.chosen.model, made.chosen.probability) == ("a", 0.9)
