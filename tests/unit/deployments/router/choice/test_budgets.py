"""What thinking budgets do to the choice of a model, and what is sent to it."""

import asyncio
import json
from typing import Any

import pytest

from deployments.budgets.allocate import Serving
from deployments.budgets.controller import Controller, ModelPlan
from deployments.budgets.settings import TaskRule, ThinkingSettings
from deployments.budgets.tasks import TaskRules
from deployments.contract.errors import ClientError
from deployments.contract.secret import Secrets
from deployments.router.attempt.retries import RecentRequests, Retries, Seal
from deployments.router.attempt.runner import Runner
from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.budgets import Thinking, overrides, thinking_of
from deployments.router.choice.policy import Candidate
from deployments.router.choice.routing import Routing
from deployments.router.http.answers import laar_object
from deployments.router.http.request import Endpoint, RoutedRequest, parse_request
from deployments.router.model import Model
from deployments.router.settings import Limits, RouterSettings
from deployments.router.text.language import Detection
from deployments.router.upkeep.planning import keep_planning, plan_once
from deployments.router.upkeep.request_logger import NoRequestLog
from deployments.router.upkeep.taken_over import rest_on
from profiles.cell import Cell
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, PairCounts, Profile, ThinkingCurve
from tests.unit.deployments.router.attempt.test_runner import FakeBackend, says
from tests.unit.deployments.router.attempt.test_runner import Seen as Attempts

LATENCY = Latency(overhead_s=0.5, prefill_s_per_token=0, decode_s_per_token=0.01, decode_growth=0.1)
# idle, budgets end where 30 * 0.6 * 0.1 * exp(-0.1 l) = 0.02: at 45 tokens; then 0.1 + 0.02 * 45 = 1 s
CURVE = ThinkingCurve(task="sums", base_s=0.1, token_s=0.02, gain=0.6, rate=0.1, floor=0.2, max_tokens=64)


class English:
    def detect(self, text: str) -> Detection:
        return Detection(language="en", confidence=1.0)


class Seen:
    def __init__(self) -> None:
        self.plans: list[dict[str, ModelPlan]] = []

    def planned(self, controller: Controller, seconds: float) -> None:
        self.plans.append(dict(controller.plan))


class Bench:
    """A router's view of "thinker", which has a curve for sums, and "plain", which cannot think."""

    def __init__(self, *, plain_thinks: bool = False, pairs: tuple[PairCounts, ...] = (), **settings: Any) -> None:
        self.now_s = 0.0
        self.settings = ThinkingSettings.model_validate(settings)
        # pairs only tell of tasks that have figures of their own
        cells = (CellCounts(task="sums", language="en", bucket=0, correct=20, tried=40),) if pairs else ()
        known = ModelProfile(latency=LATENCY, chars_per_token={"unknown": 4.0}, chars_per_symbol_token=2.0, cells=cells)
        profile = Profile(
            version=1,
            measured=NO_PROFILE.measured,
            bucket_edges=(128,),
            models={"thinker": known.model_copy(update={"thinking": (CURVE,)}), "plain": known},
            pairs=pairs,
        )
        models = [
            Model(name="thinker", context_tokens=4096, can_think=True, slots=1),
            Model(name="plain", context_tokens=4096, can_think=plain_thinks, slots=1),
        ]
        thinking = thinking_of(models, profile, settings=self.settings, num_routers=1, now_s=0.0)
        assert thinking is not None
        self.thinking: Thinking = thinking
        self.seen = Seen()
        self.log = Tries(max_attempts=10, deadline_at_s=1e9, is_repeatable=False)
        self.routing = Routing(
            models=models,
            profile=profile,
            policy="laar",
            detector=English(),
            thinking=thinking,
            task_rules=TaskRules(self.settings.task_rules, chars=self.settings.rule_chars),
        )

    def plan(self) -> None:
        asyncio.run(plan_once(self.routing, observer=self.seen, clock=lambda: self.now_s))

    def candidate(self, request: RoutedRequest, model: str = "thinker") -> Candidate:
        demand = self.routing.demand(request, self.routing.features(request))
        found = self.routing.builder.candidates(demand, self.log, self.now_s)
        return next(candidate for candidate in found if candidate.model == model)

    def sent(self, request: RoutedRequest, model: str = "thinker") -> dict[str, Any]:
        return overrides(request, model, self.candidate(request, model).thinking_budget, self.thinking)


def ask(task: str | None = "sums", model: str = "auto", text: str = "2 + 2?", **fields: Any) -> RoutedRequest:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    if task is not None:
        body["laar"] = {"task": task}
    encoded = json.dumps(body).encode()
    return parse_request(encoded, endpoint=Endpoint.CHAT, limits=Limits(max_body_bytes=10_000))


def test_planned_budget_is_sent_and_enters_accuracy_and_time() -> None:
    bench = Bench()
    bench.plan()
    found = bench.candidate(ask())
    assert found.thinking_budget == 45
    assert found.probability == pytest.approx(0.793, abs=0.001)
    assert found.idle_latency_s == pytest.approx(1.0)
    assert bench.sent(ask()) == {"thinking_token_budget": 45}


def test_company_slows_thinking_as_it_slows_answers() -> None:
    bench = Bench()
    bench.plan()
    bench.routing.load.start("thinker", 0)
    found = bench.candidate(ask())
    # the one in the only slot goes first: 0.01 s for each of 128 + 45 tokens
    assert found.latency_s - found.idle_latency_s == pytest.approx(1.73)


def test_model_that_cannot_think_is_told_nothing() -> None:
    bench = Bench()
    bench.plan()
    assert bench.candidate(ask(), "plain").thinking_budget is None
    assert bench.sent(ask(), "plain") == {}


def test_own_budget_stays_in_the_body_and_counts_in_the_choice() -> None:
    bench = Bench()
    bench.plan()
    request = ask(thinking_token_budget=10)
    found = bench.candidate(request)
    assert found.thinking_budget == 10
    assert found.idle_latency_s == pytest.approx(0.3)
    assert found.probability == pytest.approx(0.579, abs=0.001)
    assert bench.sent(request) == {}


def test_own_budget_of_0_counts_too() -> None:
    bench = Bench()
    bench.plan()
    found = bench.candidate(ask(thinking_token_budget=0))
    assert found.thinking_budget == 0
    assert found.idle_latency_s == pytest.approx(0.1)


def test_unlimited_thinking_is_taken_for_the_most_that_was_measured() -> None:
    bench = Bench()
    bench.plan()
    found = bench.candidate(ask(thinking_token_budget=-1))
    assert found.thinking_budget is None
    assert found.idle_latency_s == pytest.approx(0.1 + 0.02 * 64)


def test_model_of_our_choice_that_cannot_think_gets_no_budget() -> None:
    bench = Bench()
    bench.plan()
    request = ask(thinking_token_budget=10)
    assert bench.sent(request, "plain") == {"thinking_token_budget": None}
    assert bench.candidate(request, "plain").thinking_budget is None


@pytest.mark.parametrize(
    "budget",
    [
        pytest.param(-2, id="negative"),
        pytest.param(1.5, id="fraction"),
        pytest.param(True, id="bool"),
        pytest.param("8", id="text"),
        pytest.param(2**31, id="huge"),
    ],
)
def test_budget_that_is_no_count_is_refused(budget: object) -> None:
    with pytest.raises(ClientError, match=r"^thinking_token_budget: Expected"):
        ask(thinking_token_budget=budget)


def test_thinking_leaves_room_for_an_answer() -> None:
    bench = Bench()
    bench.plan()
    assert bench.candidate(ask(max_tokens=20)).thinking_budget == 10


def test_without_a_curve_for_the_task_nothing_is_limited() -> None:
    bench = Bench()
    bench.plan()
    found = bench.candidate(ask("plays"))
    assert found.thinking_budget is None
    assert found.idle_latency_s == pytest.approx(0.5 + 0.01 * 128)
    assert bench.sent(ask("plays")) == {}


def test_operator_may_limit_what_has_no_curve() -> None:
    bench = Bench(default_tokens=7)
    bench.plan()
    assert bench.sent(ask("plays")) == {"thinking_token_budget": 7}


def test_before_the_first_plan_nothing_is_limited() -> None:
    assert Bench().candidate(ask()).thinking_budget is None


def test_attempts_move_the_budgets_and_the_tables_follow() -> None:
    bench = Bench(window_s=60, period_s=10)
    bench.plan()
    before = bench.candidate(ask())
    for second in range(60):
        bench.thinking.controller.observe("thinker", Cell("sums", "en", before.bucket), tries=0, now_s=float(second))
    bench.now_s = 60.0
    bench.plan()
    after = bench.candidate(ask())
    assert before.thinking_budget is not None
    assert after.thinking_budget is not None
    assert after.thinking_budget < before.thinking_budget
    assert after.idle_latency_s == pytest.approx(0.1 + 0.02 * after.thinking_budget)


def test_wrong_answers_of_others_count_against_the_curve() -> None:
    pairs = (PairCounts(failed="plain", model="thinker", task="sums", language="en", bucket=0, correct=0, tried=20),)
    bench = Bench(pairs=pairs)
    bench.plan()
    wrong = Attempt(model="plain", status=Status.WRONG, reason="missing", latency_s=1.0, probability=0.5)
    bench.log.add(wrong)
    # 0.793 by the curve, and none of twenty right after such a failure
    assert 0.01 < bench.candidate(ask()).probability < 0.4


def test_explanation_tells_budget_source_and_arrivals() -> None:
    bench = Bench()
    bench.plan()
    request = ask()
    cell = bench.routing.features(request).cell(0)
    assert bench.thinking.explain("thinker", request, cell, budget=45) == {
        "budget": 45,
        "source": "plan",
        "has_curve": True,
        "arrivals_per_s": 0.0,
        "mix": [{"task": "sums", "language": None, "bucket": None, "share": 1.0, "budget": 45}],
        "outcome": "taken",
    }
    assert bench.thinking.explain("plain", request, cell, budget=None) is None


def test_explanation_tells_that_there_is_no_curve() -> None:
    bench = Bench(plain_thinks=True)
    bench.plan()
    request = ask()
    told = bench.thinking.explain("plain", request, bench.routing.features(request).cell(0), budget=None)
    assert told == {"budget": None, "source": None, "has_curve": False}


def test_models_without_a_limit_need_no_controller() -> None:
    models = [Model(name="plain", context_tokens=4096)]
    settings = ThinkingSettings()
    assert thinking_of(models, NO_PROFILE, settings=settings, num_routers=1, now_s=0.0) is None


def test_rule_names_the_task_unless_the_request_does() -> None:
    rules = [{"task": "sums", "pattern": r"\d\s*[+]\s*\d"}, {"task": "short", "pattern": "^.{1,9}$"}]
    bench = Bench(task_rules=rules, rule_chars=20)
    tasks = [
        bench.routing.features(request).task
        for request in (ask(None), ask(None, text="hello"), ask("plays"), ask(None, text="2 + 2" + " " * 30 + "x"))
    ]
    assert tasks == ["sums", "short", "plays", "default"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"task_rules": [{"task": "a", "pattern": "(?=b)"}]}, "RE2 syntax is allowed", id="pattern"),
        pytest.param({"task_rules": [{"task": "a b", "pattern": "b"}]}, "should match pattern", id="task name"),
        pytest.param({"task_rules": [{"task": "a", "pattern": "b"}] * 33}, "at most 32 items", id="rules"),
        pytest.param(
            {"min_tokens": 9, "max_tokens": 8}, r"min_tokens \(9\) must not exceed max_tokens \(8\)", id="min"
        ),
        pytest.param(
            {"period_s": 9, "window_s": 8}, r"period_s \(9\.0\) must not exceed window_s \(8\.0\)", id="window"
        ),
        pytest.param(
            {"default_tokens": 9, "max_tokens": 8},
            r"default_tokens \(9\) must lie within min_tokens \(0\) and max_tokens \(8\)",
            id="default",
        ),
        pytest.param({"period_s": 0.01}, "greater than or equal to 0.1", id="period"),
        pytest.param({"worth_s": 1e13}, "less than or equal to 1000000000000", id="worth too large"),
        pytest.param({"worth_s": float("inf")}, "finite number", id="worth"),
        pytest.param({"budget": 1}, "Extra inputs", id="unknown key"),
    ],
)
def test_odd_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ThinkingSettings.model_validate(settings)


def test_rules_stop_at_the_first_match() -> None:
    rules = TaskRules([TaskRule(task="a", pattern="x"), TaskRule(task="b", pattern="y")])
    assert [rules.task_of(["y then x"]), rules.task_of(["x", "y"]), rules.task_of(["z"]), rules.task_of([])] == [
        "a",
        "b",
        None,
        None,
    ]


def test_round_that_breaks_is_not_the_last() -> None:
    class Fragile(Seen):
        def planned(self, controller: Controller, seconds: float) -> None:
            super().planned(controller, seconds)
            if len(self.plans) == 1:
                raise RuntimeError("no metrics")
            finished.set()

    async def rounds() -> None:
        loop = keep_planning(bench.routing, observer=Fragile(), period_s=0.001, clock=lambda: 0.0)
        task = asyncio.create_task(loop)
        await asyncio.wait_for(finished.wait(), timeout=10)
        task.cancel()

    bench, finished = Bench(), asyncio.Event()
    asyncio.run(rounds())
    assert bench.candidate(ask()).thinking_budget == 45


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="stream")])
async def test_budget_of_an_attempt_is_sent_and_shown(stream: bool) -> None:
    bench, backend = Bench(), FakeBackend({"thinker": says("right"), "plain": says("right")})
    await plan_once(bench.routing, observer=bench.seen, clock=lambda: 0.0)
    runner = Runner(
        routing=bench.routing,
        backend=backend,
        observer=Attempts(),
        ledger=NoRequestLog(),
        retries=Retries(
            models=(),
            seal=Seal(Secrets(b"s")),
            within_s=1.0,
            recent=RecentRequests(b"s", window_s=0.0, clock=lambda: 0.0),
            clock=lambda: 0.0,
            wall=lambda: 0.0,
        ),
        settings=RouterSettings(),
        limits=Limits(),
        clock=lambda: 0.0,
    )
    served = runner.open(ask(model="thinker", stream=stream), request_id="r", arrived_s=0.0)
    if stream:
        _, pieces = await runner.pass_through(served)
        async for _ in pieces:
            pass
    else:
        await runner.answer(served)
    assert backend.overrides == [{"thinking_token_budget": 45}]
    assert [attempt["thinking_budget"] for attempt in laar_object(served, 0.0)["attempts"]] == [45]
    assert not bench.routing.load.load.in_flight.any()


def test_engine_that_batches_does_more_in_a_second() -> None:
    assert Serving.of(slots=1, growth=0.1, max_attempts=1).capacity == 1
    # 8 / (1 + 0.1 * 7)
    assert Serving.of(slots=8, growth=0.1, max_attempts=1).capacity == pytest.approx(4.706, abs=0.001)
    # one that is slower together than one after the other is taken to be as slow
    assert Serving.of(slots=8, growth=3.0, max_attempts=1).capacity == pytest.approx(1)


async def test_another_profile_keeps_the_budgets_until_they_are_planned_anew() -> None:
    bench = Bench()
    await plan_once(bench.routing, observer=bench.seen, clock=lambda: 0.0)
    profile, models = bench.routing.profile, list(bench.routing.models.values())
    again = thinking_of(models, profile, settings=bench.settings, num_routers=1, now_s=1.0)
    await rest_on(bench.routing, profile.model_copy(), lambda: again)
    assert bench.routing.thinking is again
    assert bench.candidate(ask()).thinking_budget == 45
