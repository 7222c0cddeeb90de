"""The retry loop with a fake backend: models answer, fail or hang as a test says, no Ray anywhere."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import MagicMock

import msgspec
import numpy as np
import pytest

from deployments.contract.errors import (
    BrokenStreamError,
    ContextLengthError,
    DeadlineError,
    EngineRefusalError,
    LateStreamError,
    LogUnavailableError,
    ModelsFailedError,
    ModelsUnavailableError,
    NotVerifiedError,
    OverloadedError,
)
from deployments.contract.forwarded import FORWARDED
from deployments.contract.reply import Chunk, Reply
from deployments.contract.secret import Secrets
from deployments.engines.openai_answers import DONE_EVENT, StreamReader, failure, unchanged
from deployments.router.attempt.beginnings import PLAIN_ANSWERS
from deployments.router.attempt.retries import RecentRequests, Retries, Seal
from deployments.router.attempt.runner import (
    LEARNED_WITHIN_S,
    VERIFIER_AWAY_S,
    VERIFIER_PATIENCE_S,
    BackendError,
    Runner,
    VerifierGoneError,
)
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt, Status
from deployments.router.choice.budgets import BudgetEffect
from deployments.router.choice.routing import Routing
from deployments.router.http.request import Endpoint, parse_request
from deployments.router.model import Model
from deployments.router.settings import Limits, RouterSettings
from deployments.router.tenants.tenant import Tenant
from deployments.router.text.language import Detection
from deployments.verifier.checks import SPEC, Evidence, Verdict, check
from profiles.profile import NO_PROFILE, CellCounts, Latency, ModelProfile, Profile

pytestmark = pytest.mark.virtual_time

RIGHT = {"verify": {"type": "contains", "value": "right"}}
Behaviour = Callable[[], object]
RAW = 299
ID = "laar-" + "0" * 32
SECRET, EPOCH_S = b"s" * 32, 1.7e9
DIES = b"dies\n"
ERROR_EVENT = b'data: {"error":{"message":"engine died","type":"internal_error","param":null,"code":500}}\n\n'


def says(text: str) -> Behaviour:
    return lambda: Reply(200, json.dumps({"text": text}).encode(), text=text)


def refuses(status: int, *, invalid: bool = False, retry_after_s: int | None = None) -> Behaviour:
    body = b'{"error":{"message":"no"}}'
    return lambda: Reply(status, body, invalid_request=invalid, retry_after_s=retry_after_s)


def streams(*pieces: bytes) -> Behaviour:
    """A stream of exactly these events."""
    return lambda: Reply(RAW, b"".join(piece.replace(b"\n\n", b"\n") for piece in pieces))


def takes(seconds: float) -> Behaviour:
    return lambda: Slow(seconds, "right")


def trickles(seconds: float, count: int) -> Behaviour:
    """So many words "right", each after so many seconds."""
    return lambda: Slow(seconds, " ".join(["right"] * count))


@dataclass(frozen=True)
class Slow:
    pause_s: float
    text: str


async def read_into(got: list[bytes], chunks: AsyncGenerator[Chunk, None]) -> None:
    async for chunk in chunks:
        got.append(chunk.events)


def breaks() -> object:
    raise BackendError("replica died")


def hangs() -> object:
    return asyncio.Event()


@dataclass
class FakeBackend:
    """Behaves per model as told; `open` counts calls under way, which must be none at the end."""

    behaviours: Mapping[str, Behaviour]
    asked: list[str] = field(default_factory=list)
    overrides: list[dict[str, Any]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    open: int = 0
    verifier_breaks: int = 0
    verifier_is_gone: bool = False
    verifier_is_needed: bool = True
    verify_s: float = 0.0
    pause_s: dict[str, float] = field(default_factory=dict)

    async def generate(self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        self.asked.append(model)
        self.overrides.append(dict(overrides))
        self.request_ids.append(FORWARDED.get()["x-request-id"])
        self.bodies.append(body)
        self.open += 1
        try:
            result = self.behaviours[model]()
            if isinstance(result, asyncio.Event):
                await result.wait()
            if isinstance(result, Slow):
                self.pause_s[model] = result.pause_s
                await asyncio.sleep(result.pause_s)
                return Reply(200, b"{}", text=result.text)
            assert isinstance(result, Reply)
            return result
        finally:
            self.open -= 1

    async def stream(
        self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[Chunk | Reply, None]:
        reader = StreamReader(unchanged, failure)
        reply = await self.generate(model, endpoint, body, overrides)
        if reply.status >= 400:
            yield reply
            return
        if reply.status == RAW:
            for piece in reply.body.splitlines(keepends=True):
                if piece == DIES:
                    raise BackendError("replica died")
                for chunk in reader.feed(piece + b"\n"):
                    yield chunk
            return
        self.open += 1
        try:
            for word in reply.text.split():
                await asyncio.sleep(self.pause_s.get(model, 0.0))
                for chunk in reader.feed(_chunk(word, "null")):
                    yield chunk
            for chunk in (*reader.feed(_chunk("", '"stop"')), *reader.feed(b"data: [DONE]\n\n")):
                yield chunk
        finally:
            self.open -= 1

    def verdict_here(self, spec: Any, evidence: Evidence) -> Verdict | None:
        return None if self.verifier_is_needed else check(spec, evidence)

    async def verify(self, spec: Any, evidence: Evidence) -> Verdict:
        if self.verifier_breaks:
            self.verifier_breaks -= 1
            raise VerifierGoneError("verifier died") if self.verifier_is_gone else BackendError("check broke down")
        if self.verifier_is_gone:
            await asyncio.Event().wait()
        await asyncio.sleep(self.verify_s)
        return check(spec, evidence)


def _chunk(text: str, finish: str) -> bytes:
    return f'data: {{"choices":[{{"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}\n\n'.encode()


class Seen:
    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def decided(self, seconds: float) -> None: ...

    def checked(self, check: str, seconds: float) -> None: ...

    def attempt_ended(self, served: ServedRequest, attempt: Attempt) -> None:
        self.attempts.append(attempt)


class SeenAnswers:
    """Models of the attempts that stood in the log of a request when its answer was announced."""

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.is_full = False

    def answer_ready(self, served: ServedRequest, answer: Attempt) -> None:
        if self.is_full:
            raise LogUnavailableError("full")
        assert served.log.attempts[-1] is answer or answer in served.log.attempts
        self.answers.append([attempt.model for attempt in served.log.attempts])


class NoDetector:
    def detect(self, text: str) -> Detection:
        return Detection(language="en", confidence=1.0)


class Bench:
    """A runner over models `a`, `b`, `c`, asked in that order by their profile."""

    def __init__(
        self,
        *,
        unverified: str = "answer",
        limits: Limits | None = None,
        latency_s: float = 1.0,
        token_s: float = 0.0,
        give_up_below: float = 0.0,
        repair: str = "never",
        regenerate_s: float = 0.0,
        learns: bool = True,
        overlap: str = "off",
        profile: Profile | None = None,
        slots: int = 256,
        **behaviours: Behaviour,
    ) -> None:
        self.backend = FakeBackend(behaviours)
        self.seen, self.ledger = Seen(), SeenAnswers()
        now = asyncio.get_running_loop().time
        self._number = 0
        models = [Model(name=name, context_tokens=1000, slots=slots) for name in behaviours]
        self.routing = Routing(
            models=models,
            profile=profile or _profile(behaviours, latency_s, token_s),
            policy="laar",
            detector=NoDetector(),
        )
        self.runner = Runner(
            routing=self.routing,
            backend=self.backend,
            observer=self.seen,
            ledger=self.ledger,
            retries=Retries(
                models=tuple(behaviours),
                seal=Seal(Secrets(SECRET)),
                within_s=100.0,
                recent=RecentRequests(SECRET, window_s=regenerate_s, clock=now),
                clock=now,
                wall=lambda: now() + EPOCH_S,
            ),
            settings=RouterSettings.model_validate(
                {
                    "unverified": unverified,
                    "give_up_below": give_up_below,
                    "repair": repair,
                    "overlap": overlap,
                    "learning": {"enabled": learns},
                }
            ),
            limits=limits or Limits(),
            clock=now,
        )

    def served(self, laar: Mapping[str, object] | None = None, *, key: str = "", **fields: object) -> ServedRequest:
        # no two of them are the same request, if it is not said that they are
        self._number += 1
        default = SPEC.validate_python(fields.pop("default_verify", {"type": "none"}))
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
        body |= {"laar": laar or {}, "user": str(self._number), **fields}
        raw = json.dumps(body).encode()
        request = parse_request(
            raw, endpoint=Endpoint.CHAT, limits=Limits(max_body_bytes=100_000), default_verify=default
        )
        now_s = asyncio.get_running_loop().time()
        request = msgspec.structs.replace(request, tenant=Tenant(id=key, name="t"))
        return self.runner.open(request, request_id=ID, arrived_s=now_s)

    def prompt_tokens(self, text: str = "Hi") -> int:
        served = self.served(messages=[{"role": "user", "content": text}])
        return int(served.demand.prompt_tokens[0])

    def assert_nothing_left(self) -> None:
        assert self.backend.open == 0
        load = self.routing.load.load
        assert not load.in_flight.any()
        assert not load.prompt_tokens.any()

    async def believed_of_a(self) -> float:
        """Its chance, once all verdicts are learned."""
        await asyncio.sleep(LEARNED_WITHIN_S)
        return self.routing.chances.source.estimate("a", self.served().features.cell(0)).probability

    def is_healthy(self) -> bool:
        """Whether the first model is."""
        return 0 not in self.routing.load.unhealthy(asyncio.get_running_loop().time())


def _profile(names: Mapping[str, object], latency_s: float, token_s: float) -> Profile:
    models = {
        name: ModelProfile(
            latency=Latency(
                overhead_s=latency_s * (1 + index), prefill_s_per_token=0, decode_s_per_token=token_s, decode_growth=1
            ),
            chars_per_token={"unknown": 4.0},
            chars_per_symbol_token=2.0,
            cells=(CellCounts(language="en", bucket=0, correct=10, tried=20),),
        )
        for index, name in enumerate(sorted(names))
    }
    return Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(128,), models=models)


def outcome(served: ServedRequest) -> list[tuple[str, str]]:
    return [(a.model, a.status.value) for a in served.log.attempts]


async def test_first_answer_is_taken_when_nobody_asked_for_verification() -> None:
    bench = Bench(a=says("anything"), b=says("right"))
    served = bench.served()
    answer = await bench.runner.answer(served)
    assert answer.model == "a"
    assert outcome(served) == [("a", "unverified")]
    bench.assert_nothing_left()


async def test_wrong_answer_is_retried_on_the_next_model() -> None:
    bench = Bench(a=says("no"), b=says("right"))
    served = bench.served(RIGHT)
    answer = await bench.runner.answer(served)
    assert answer.model == "b"
    assert outcome(served) == [("a", "wrong"), ("b", "correct")]
    assert served.log.is_verified
    assert [a.model for a in bench.seen.attempts] == ["a", "b"]
    bench.assert_nothing_left()


@pytest.mark.parametrize("model", [pytest.param("auto", id="auto"), pytest.param("a", id="named")])
@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
async def test_request_whose_models_do_not_run_is_refused_at_once(model: str, stream: bool) -> None:
    bench = Bench(a=hangs, b=hangs)
    for name in ("a", "b"):
        bench.routing.load.set_replicas(name, 0)
    served, began_s = bench.served(model=model, stream=stream), asyncio.get_running_loop().time()
    with pytest.raises(ModelsUnavailableError, match="no model can be asked now") as refusal:
        await (bench.runner.pass_through(served) if stream else bench.runner.answer(served))
    assert (refusal.value.retry_after_s, asyncio.get_running_loop().time() - began_s) == (1, 0.0)
    assert outcome(served) == []


async def test_model_that_does_not_run_is_not_waited_for_after_a_wrong_answer() -> None:
    bench = Bench(a=says("no"), b=hangs)
    bench.routing.load.set_replicas("b", 0)
    served = bench.served(RIGHT)
    assert (await bench.runner.answer(served)).model == "a"
    assert outcome(served) == [("a", "wrong")]


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="held")])
async def test_an_answer_that_its_token_limit_cut_is_unknown_and_the_next_model_asked(stream: bool) -> None:
    cut = b'data: {"choices":[{"delta":{"content":"right"},"finish_reason":"length"}]}\n'
    reply = Reply(RAW, cut) if stream else Reply(200, b"{}", text="right", finish_reason="length")
    bench = Bench(a=lambda: reply, b=says("right"))
    served = bench.served(RIGHT, stream=stream)
    await bench.runner.answer(served)
    assert outcome(served) == [("a", "unknown"), ("b", "correct")]
    assert [(a.reason, a.read) for a in served.log.attempts] == [("cut_off", "right"), ("matched", "right")]


async def test_greedy_models_are_not_asked_twice() -> None:
    bench = Bench(a=says("no"), b=says("nor this"))
    served = bench.served(RIGHT)
    answer = await bench.runner.answer(served)
    assert bench.backend.asked == ["a", "b"]
    assert answer.status is Status.WRONG


async def test_sampling_models_are_asked_again_until_the_limit() -> None:
    bench = Bench(a=says("no"), b=says("nor this"))
    served = bench.served(RIGHT | {"max_attempts": 5}, temperature=0.7)
    await bench.runner.answer(served)
    # whose turn it is the policy decides
    assert len(bench.backend.asked) == 5
    assert set(bench.backend.asked) == {"a", "b"}


async def test_operator_caps_the_attempts() -> None:
    bench = Bench(a=says("no"), b=says("no"), limits=Limits(max_attempts=1))
    served = bench.served(RIGHT | {"max_attempts": 9})
    await bench.runner.answer(served)
    assert bench.backend.asked == ["a"]


async def test_nothing_verified_is_an_error_where_the_operator_wants_one() -> None:
    bench = Bench(unverified="error", a=says("no"))
    with pytest.raises(NotVerifiedError, match="none of 1 attempts could be verified; stopped by no_model_left"):
        await bench.runner.answer(bench.served(RIGHT))


@pytest.mark.parametrize(
    ("give_up_below", "asked"),
    [
        pytest.param(0.0, ["a", "b", "c"], id="never"),
        pytest.param(0.6, ["a", "b"], id="one-more-is-too-little"),
        pytest.param(0.8, ["a"], id="two-more-are-too-little"),
    ],
)
async def test_loop_gives_up_when_the_models_left_are_hardly_right(give_up_below: float, asked: list[str]) -> None:
    # each is right half the time: after one wrong answer 0.75 are left, after two 0.5
    bench = Bench(give_up_below=give_up_below, a=says("no"), b=says("no"), c=says("no"))
    await bench.runner.answer(bench.served(RIGHT))
    assert bench.backend.asked == asked


async def test_first_attempt_is_made_however_small_the_hope() -> None:
    bench = Bench(unverified="error", give_up_below=0.99, a=says("no"), b=says("no"))
    with pytest.raises(NotVerifiedError, match="none of 1 attempts could be verified; stopped by unlikely"):
        await bench.runner.answer(bench.served(RIGHT))


async def test_model_whose_answers_turn_wrong_is_no_longer_asked_first() -> None:
    bench = Bench(a=says("no"), b=says("right"))
    for _ in range(30):
        await bench.runner.answer(bench.served(RIGHT))
    assert bench.backend.asked[-2:] == ["a", "b"]
    await asyncio.sleep(LEARNED_WITHIN_S)
    bench.backend.asked.clear()
    await bench.runner.answer(bench.served(RIGHT))
    assert bench.backend.asked == ["b"]


async def test_answers_that_nobody_verified_teach_nothing() -> None:
    bench = Bench(a=says("no"), b=says("right"))
    before = await bench.believed_of_a()
    await bench.runner.answer(bench.served())
    assert await bench.believed_of_a() == before


async def test_drift_is_logged_with_model_and_direction(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(a=says("no"))
    for _ in range(200):
        await bench.runner.answer(bench.served(RIGHT))
    await asyncio.sleep(LEARNED_WITHIN_S)
    drifts = [record.__dict__ for record in caplog.records if "otherwise than profiled" in record.message]
    assert [(drift["model"], drift["task"], drift["direction"]) for drift in drifts] == [
        ("a", None, "worse"),
        ("a", "default", "worse"),
    ]


@pytest.mark.parametrize(
    "fault",
    [pytest.param(breaks, id="replica-died"), pytest.param(refuses(500), id="engine-error")],
)
async def test_next_model_takes_over_from_one_that_breaks(fault: Behaviour) -> None:
    bench = Bench(a=fault, b=says("fine"))
    served = bench.served()
    answer = await bench.runner.answer(served)
    assert answer.model == "b"
    assert outcome(served) == [("a", "error"), ("b", "unverified")]
    bench.assert_nothing_left()


async def test_next_model_takes_over_from_one_that_hangs() -> None:
    bench = Bench(a=hangs, b=says("fine"), limits=Limits(attempt_timeout_s=0.02))
    served = bench.served()
    answer = await bench.runner.answer(served)
    assert answer.model == "b"
    assert outcome(served) == [("a", "timeout"), ("b", "unverified")]
    bench.assert_nothing_left()


async def test_hanging_model_leaves_time_for_the_next_before_the_deadline() -> None:
    bench = Bench(a=hangs, b=says("fine"), latency_s=0.0001)
    served = bench.served({"deadline_s": 0.1})
    assert (await bench.runner.answer(served)).model == "b"
    assert outcome(served) == [("a", "timeout"), ("b", "unverified")]


async def test_hanging_stream_leaves_time_for_the_next_before_the_deadline() -> None:
    bench = Bench(a=hangs, b=says("fine"), latency_s=0.0001)
    model, pieces = await bench.runner.pass_through(bench.served({"deadline_s": 0.1}, stream=True))
    assert model == "b"
    assert [piece async for piece in pieces][-1].is_last


@pytest.mark.parametrize(
    ("stream", "token_s", "waited_s"),
    [
        # its context has room for 998 tokens of 0.1 s each
        pytest.param(False, 0.0, 20.0, id="quick"),
        pytest.param(False, 0.1, 2 * 99.9, id="may-write-for-long"),
        pytest.param(True, 0.1, 2 * 0.1 + 20.0, id="first-token-is-due"),
    ],
)
async def test_model_that_hangs_is_given_up_long_before_the_deadline(
    stream: bool, token_s: float, waited_s: float
) -> None:
    bench = Bench(
        a=hangs,
        b=says("right"),
        latency_s=0.0001,
        token_s=token_s,
        limits=Limits(deadline_s=2000.0, attempt_timeout_s=1000.0),
    )
    served = bench.served(RIGHT, stream=stream)
    assert (await bench.runner.answer(served)).model == "b"
    assert served.log.attempts[0].latency_s == pytest.approx(waited_s, rel=0.01)
    assert served.log.attempts[0].is_silent


async def test_last_attempt_is_not_cut_short_for_a_next_one_that_is_not_allowed() -> None:
    bench = Bench(a=takes(0.08), b=takes(0.08), latency_s=0.0001)
    served = bench.served({"deadline_s": 0.12, "max_attempts": 1})
    assert (await bench.runner.answer(served)).model == "a"


async def test_held_stream_that_lives_keeps_the_time_up_to_the_deadline() -> None:
    # words after 4.8, 7.2 and 9.6 s: the first within half of the time, the last needs more than half of what is left
    bench = Bench(a=trickles(2.4, 3), b=says("right"), latency_s=0.0001)
    verify = {"type": "contains", "value": "right", "substring": True}
    served = bench.served({"deadline_s": 10.0, "verify": verify}, stream=True)
    await bench.runner.answer(served)
    assert outcome(served)[0] == ("a", "correct")


async def test_model_that_writes_when_the_deadline_comes_is_not_at_fault() -> None:
    bench = Bench(a=trickles(0.01, 100), latency_s=0.0001)
    for _ in range(4):
        with pytest.raises(DeadlineError):
            await bench.runner.answer(bench.served(RIGHT | {"deadline_s": 0.05}, stream=True))
    assert bench.is_healthy()


async def test_full_engine_is_passed_over_and_not_at_fault() -> None:
    bench = Bench(a=refuses(429), b=says("fine"))
    for _ in range(4):
        assert (await bench.runner.answer(bench.served())).model == "b"
    assert bench.is_healthy()


async def test_models_that_are_all_full_are_asked_once_and_the_first_to_be_free_says_when_to_come_again() -> None:
    for stream in (False, True):
        bench = Bench(
            a=refuses(429, retry_after_s=30), b=refuses(429, retry_after_s=7), c=refuses(429, retry_after_s=60)
        )
        served = bench.served(stream=stream)
        with pytest.raises(OverloadedError, match="take no more requests for now; attempts: 3") as caught:
            await (bench.runner.pass_through(served) if stream else bench.runner.answer(served))
        assert bench.backend.asked == ["a", "b", "c"]
        assert caught.value.headers == {"retry-after": "7"}


async def test_full_model_is_not_asked_again_after_others_failed() -> None:
    bench = Bench(a=refuses(429, retry_after_s=30), b=breaks)
    with pytest.raises(ModelsFailedError, match="no model answered; 3 attempts failed"):
        await bench.runner.answer(bench.served())
    assert bench.backend.asked == ["a", "b", "b"]


async def test_model_silent_far_beyond_its_time_is_not_well_and_a_client_that_leaves_says_nothing() -> None:
    bench = Bench(a=hangs, latency_s=0.0001)
    for stream in (False, True) * 3:
        served = bench.served(stream=stream)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await (bench.runner.pass_through(served) if stream else bench.runner.answer(served))
        assert outcome(served) == [("a", "cancelled")]
    assert bench.is_healthy()
    for _ in range(3):
        with pytest.raises(DeadlineError):
            await bench.runner.answer(bench.served({"deadline_s": 0.01}))
    assert not bench.is_healthy()
    bench.assert_nothing_left()


async def test_deadline_ends_a_hanging_request() -> None:
    bench = Bench(a=hangs)
    with pytest.raises(DeadlineError, match="no answer in time; attempts: 1, stopped by deadline") as caught:
        await bench.runner.answer(bench.served({"deadline_s": 0.02}))
    assert caught.value.headers == {"x-should-retry": "false"}
    bench.assert_nothing_left()


async def test_all_models_broken_is_a_503_with_a_time_to_retry() -> None:
    bench = Bench(a=breaks, b=breaks)
    with pytest.raises(ModelsUnavailableError, match="no model answered; 4 attempts failed") as caught:
        await bench.runner.answer(bench.served())
    assert caught.value.headers == {"retry-after": "1", "x-should-retry": "false"}


async def test_request_that_no_model_would_take_is_not_tried_elsewhere() -> None:
    bench = Bench(a=refuses(400, invalid=True), b=says("fine"))
    with pytest.raises(EngineRefusalError, match="status 400") as caught:
        await bench.runner.answer(bench.served())
    assert caught.value.status == 400
    assert bench.backend.asked == ["a"]


async def test_refusal_of_one_model_is_tried_on_the_next() -> None:
    bench = Bench(a=refuses(400), b=says("fine"))
    assert (await bench.runner.answer(bench.served())).model == "b"


async def test_model_that_refused_is_not_asked_again() -> None:
    bench = Bench(a=refuses(400), b=refuses(400), c=breaks)
    with pytest.raises(EngineRefusalError, match="status 400"):
        await bench.runner.answer(bench.served())
    assert bench.backend.asked == ["a", "b", "c", "c"]


async def test_refusal_does_not_make_a_model_unhealthy() -> None:
    bench = Bench(a=refuses(400), b=says("fine"))
    for _ in range(5):
        await bench.runner.answer(bench.served())
    assert bench.is_healthy()


async def test_refusal_does_not_forget_failures() -> None:
    answers = iter([breaks, breaks, refuses(400), breaks])

    def one_after_the_other() -> object:
        return next(answers)()

    bench = Bench(a=one_after_the_other, b=says("fine"), learns=False)
    for _ in range(4):
        await bench.runner.answer(bench.served())
    assert not bench.is_healthy()


async def test_short_deadlines_of_clients_do_not_make_a_model_unhealthy() -> None:
    bench = Bench(a=hangs)
    for _ in range(5):
        with pytest.raises(DeadlineError):
            await bench.runner.answer(bench.served({"deadline_s": 0.005}))
    assert bench.is_healthy()


async def test_model_that_is_late_again_and_again_becomes_unhealthy() -> None:
    bench = Bench(a=hangs, b=says("fine"), limits=Limits(attempt_timeout_s=0.005), learns=False)
    for _ in range(3):
        await bench.runner.answer(bench.served())
    assert not bench.is_healthy()
    await bench.runner.answer(bench.served())
    assert bench.backend.asked[-1] == "b"


async def test_stream_that_succeeds_closes_the_account_of_failures() -> None:
    answers = iter([breaks, breaks, says("fine"), breaks, breaks, says("fine")])

    def one_after_the_other() -> object:
        return next(answers)()

    bench = Bench(a=one_after_the_other, b=says("other"))
    for _ in range(4):
        _, pieces = await bench.runner.pass_through(bench.served(stream=True))
        assert [piece async for piece in pieces]
    assert bench.is_healthy()


async def test_prompt_far_too_long_for_every_context_is_refused_by_name() -> None:
    bench = Bench(a=says("fine"))
    served = bench.served(messages=[{"role": "user", "content": "word " * 16_000}])
    with pytest.raises(
        ContextLengthError, match=r"^This model's maximum context length is 1000 tokens\. .*messages has about 20000;"
    ):
        await bench.runner.answer(served)
    assert bench.backend.asked == []


async def test_prompt_that_may_fit_is_left_to_the_tokenizer_of_the_longest_context() -> None:
    """An estimate can be far off, as for a run of one sign, and only the engine can tell."""
    bench = Bench(a=says("fine"), b=says("fine"))
    served = bench.served(messages=[{"role": "user", "content": "Repeat: " + "-" * 6500}])
    await bench.runner.answer(served)
    assert outcome(served) == [("a", "unverified")]


async def test_named_model_is_the_only_one_asked() -> None:
    bench = Bench(a=says("right"), b=says("no"))
    served = bench.served(RIGHT, model="b")
    await bench.runner.answer(served)
    assert bench.backend.asked == ["b"]


async def test_verifier_that_stays_broken_makes_the_verdict_unknown_and_ends_the_attempts() -> None:
    bench = Bench(a=says("right"), b=says("right"))
    bench.backend.verifier_breaks = 9
    served = bench.served(RIGHT, temperature=0.7)
    answer = await bench.runner.answer(served)
    assert (answer.status, answer.reason) == (Status.UNKNOWN, "verifier_failed")
    assert bench.backend.asked == ["a"]


async def test_verifier_that_breaks_once_is_asked_again() -> None:
    bench = Bench(a=says("right"))
    bench.backend.verifier_breaks = 1
    assert (await bench.runner.answer(bench.served(RIGHT))).status is Status.CORRECT


async def test_verifier_that_is_gone_holds_nobody_up_until_the_deadline() -> None:
    bench = Bench(a=says("right"))
    bench.backend.verifier_breaks, bench.backend.verifier_is_gone = 1, True
    now = asyncio.get_running_loop().time
    for _ in range(2):
        began_s = now()
        answer = await bench.runner.answer(bench.served(RIGHT))
        assert (answer.status, answer.reason) == (Status.UNKNOWN, "verifier_failed")
        assert now() - began_s == pytest.approx(VERIFIER_PATIENCE_S)
    bench.backend.verifier_is_gone = False
    assert (await bench.runner.answer(bench.served(RIGHT))).status is Status.CORRECT


async def test_check_that_breaks_down_takes_no_time_from_others() -> None:
    """One tenant's check can raise; the judge of another may still take longer than a dead verifier would get."""
    bench = Bench(a=says("right"))
    bench.backend.verifier_breaks = 2
    assert (await bench.runner.answer(bench.served(RIGHT))).reason == "verifier_failed"
    bench.backend.verify_s = 2 * VERIFIER_PATIENCE_S
    assert (await bench.runner.answer(bench.served(RIGHT))).status is Status.CORRECT


async def test_verifier_that_is_back_may_take_its_time() -> None:
    bench = Bench(a=says("right"))
    bench.backend.verifier_breaks, bench.backend.verifier_is_gone = 1, True
    await bench.runner.answer(bench.served(RIGHT))
    await asyncio.sleep(VERIFIER_AWAY_S)
    served = bench.served({**RIGHT, "deadline_s": 30})
    assert (await bench.runner.answer(served)).reason == "timed_out"


@pytest.mark.parametrize(
    ("by_the_verifier", "status"),
    [pytest.param(True, Status.CORRECT, id="verifier"), pytest.param(False, Status.UNKNOWN, id="router")],
)
async def test_verifier_may_take_its_time_once_it_has_made_a_check_again(by_the_verifier: bool, status: Status) -> None:
    bench = Bench(a=says("right"))
    bench.backend.verifier_breaks, bench.backend.verifier_is_gone = 1, True
    await bench.runner.answer(bench.served(RIGHT))
    bench.backend.verifier_is_gone, bench.backend.verifier_is_needed = False, by_the_verifier
    assert (await bench.runner.answer(bench.served(RIGHT))).status is Status.CORRECT
    bench.backend.verify_s, bench.backend.verifier_is_needed = 2 * VERIFIER_PATIENCE_S, True
    assert (await bench.runner.answer(bench.served(RIGHT))).status is status


async def test_agreement_needs_a_second_model_and_then_holds() -> None:
    bench = Bench(a=says("Paris"), b=says("paris."), c=says("Rome"))
    served = bench.served({"verify": {"type": "agreement"}})
    answer = await bench.runner.answer(served)
    assert outcome(served) == [("a", "unknown"), ("b", "correct")]
    assert answer.model == "b"


async def test_client_that_leaves_cancels_the_attempt() -> None:
    bench = Bench(a=hangs)
    task = asyncio.create_task(bench.runner.answer(bench.served()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.backend.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.assert_nothing_left()
    assert bench.is_healthy()


async def test_client_that_leaves_is_charged_what_was_written_until_then() -> None:
    bench, written = Bench(a=hangs), list[int]()
    for seconds in (0.0, 0.5):
        served = bench.served()
        task = asyncio.create_task(bench.runner.answer(served))
        await asyncio.sleep(seconds)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        written += [attempt.written_tokens for attempt in served.log.attempts if attempt.status is Status.CANCELLED]
    assert 0 == written[0] < written[1]


async def test_held_stream_carries_only_the_right_attempt() -> None:
    bench = Bench(a=says("no good"), b=says("quite right"))
    # the stream's pieces have no space between them
    served = bench.served({"verify": {**RIGHT["verify"], "substring": True}}, stream=True)
    answer = await bench.runner.answer(served)
    assert answer.reply is not None
    assert outcome(served) == [("a", "wrong"), ("b", "correct")]
    assert answer.reply.text == "quiteright"
    assert not any(b"no" in chunk.events for chunk in answer.reply.chunks)
    assert [chunk.finish_reason for chunk in answer.reply.chunks] == [None, None, "stop", None]
    bench.assert_nothing_left()


async def test_stream_passes_through_with_laar_in_its_last_chunk() -> None:
    bench = Bench(a=says("one two"))
    served = bench.served(stream=True)
    model, pieces = await bench.runner.pass_through(served)
    got = [piece async for piece in pieces]
    assert model == "a"
    assert len(got) == 4
    last = json.loads(got[2].events.removeprefix(b"data: "))
    assert last["laar"]["attempts"][0]["model"] == "a"
    assert last["laar"]["verified"] is None
    assert outcome(served) == [("a", "unverified")]
    bench.assert_nothing_left()


async def test_stream_of_two_choices_carries_laar_once() -> None:
    def closing(index: int) -> bytes:
        return f'data: {{"choices":[{{"index":{index},"delta":{{}},"finish_reason":"stop"}}]}}\n\n'.encode()

    begun = b'data: {"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}\n\n'
    for pieces in ((begun, closing(0), closing(1)), (closing(0), closing(1))):
        bench = Bench(a=streams(*pieces))
        served = bench.served(stream=True, n=2)
        _, chunks = await bench.runner.pass_through(served)
        got: list[bytes] = []
        await read_into(got, chunks)
        assert b"".join(got).count(b'"laar":') == 1
        assert outcome(served) == [("a", "unverified")]
        assert bench.ledger.answers == [["a"]]


async def test_engine_that_dies_after_its_answer_has_answered() -> None:
    bench = Bench(a=streams(_chunk("right", "null"), _chunk("", '"stop"'), DIES), b=says("right"))
    for laar in ({}, RIGHT):
        served = bench.served(laar, stream=True)
        if laar:
            answer = await bench.runner.answer(served)
            assert answer.reply is not None
            got = [chunk.events for chunk in answer.reply.chunks]
        else:
            got = []
            await read_into(got, (await bench.runner.pass_through(served))[1])
        assert got[-1] == DONE_EVENT
        assert outcome(served) == [("a", "correct" if laar else "unverified")]


async def test_stream_is_read_however_the_engine_spaces_its_json() -> None:
    spaced = [
        piece.replace(b":", b" : ").replace(b"data : ", b"data: ")
        for piece in (_chunk("right", "null"), _chunk("", '"stop"'))
    ]
    bench = Bench(a=streams(*spaced, b"data: [DONE]\n\n"))
    served = bench.served(stream=True)
    _, pieces = await bench.runner.pass_through(served)
    got = [piece async for piece in pieces]
    assert json.loads(got[1].events.removeprefix(b"data: "))["laar"]["attempts"][0]["verdict"] == "unverified"
    assert outcome(served) == [("a", "unverified")]
    held = bench.served(RIGHT, stream=True)
    assert (await bench.runner.answer(held)).status is Status.CORRECT


async def test_held_stream_that_breaks_off_is_no_answer() -> None:
    bench = Bench(a=streams(_chunk("right", "null")), b=says("right"))
    served = bench.served(RIGHT, stream=True)
    assert (await bench.runner.answer(served)).model == "b"
    assert outcome(served) == [("a", "error"), ("b", "correct")]


async def test_stream_that_breaks_before_it_begins_goes_to_the_next_model() -> None:
    bench = Bench(a=breaks, b=says("fine"))
    served = bench.served(stream=True)
    model, pieces = await bench.runner.pass_through(served)
    assert model == "b"
    assert [piece async for piece in pieces]
    assert outcome(served) == [("a", "error"), ("b", "unverified")]
    bench.assert_nothing_left()


async def test_stream_that_nobody_begins_is_an_error_before_the_first_byte() -> None:
    bench = Bench(a=breaks)
    with pytest.raises(ModelsUnavailableError, match="no model answered; 2 attempts failed"):
        await bench.runner.pass_through(bench.served(stream=True))
    bench.assert_nothing_left()


async def test_error_event_before_the_first_token_goes_to_the_next_model() -> None:
    bench = Bench(a=streams(ERROR_EVENT), b=says("fine"))
    served = bench.served(stream=True)
    model, pieces = await bench.runner.pass_through(served)
    assert [piece async for piece in pieces]
    assert model == "b"
    assert [(a.status.value, a.reason) for a in served.log.attempts] == [
        ("error", "engine_500"),
        ("unverified", "not_requested"),
    ]


async def test_error_event_midway_ends_the_stream_with_one_error() -> None:
    bench = Bench(a=streams(_chunk("some", "null"), ERROR_EVENT, b"data: [DONE]\n\n"))
    _, pieces = await bench.runner.pass_through(bench.served(stream=True))
    got: list[bytes] = []
    with pytest.raises(BrokenStreamError, match="the stream broke off: engine_500") as found:
        await read_into(got, pieces)
    assert got == [_chunk("some", "null")]
    assert not isinstance(found.value, LateStreamError)
    bench.assert_nothing_left()


async def test_stream_that_outlives_the_deadline_is_late() -> None:
    bench = Bench(a=trickles(0.03, 9), latency_s=0.0001)
    _, pieces = await bench.runner.pass_through(bench.served({"deadline_s": 0.1}, stream=True))
    with pytest.raises(LateStreamError, match="the stream broke off: timed_out"):
        assert [piece async for piece in pieces]
    bench.assert_nothing_left()


async def test_reader_that_leaves_a_stream_stops_the_generation() -> None:
    bench = Bench(a=says("one two three"))
    served = bench.served(stream=True)
    _, pieces = await bench.runner.pass_through(served)
    assert await anext(pieces)
    await pieces.aclose()
    bench.assert_nothing_left()


async def test_prompt_tokens_are_learned_from_the_engine() -> None:
    bench = Bench(a=lambda: Reply(200, b"{}", text="x", prompt_tokens=200))
    text = "word " * 100
    assert bench.prompt_tokens(text) == 125
    for _ in range(60):
        await bench.runner.answer(bench.served(messages=[{"role": "user", "content": text}]))
    assert bench.prompt_tokens(text) == pytest.approx(200, abs=2)


async def test_one_request_can_hardly_move_the_token_estimate() -> None:
    bench = Bench(a=lambda: Reply(200, b"{}", text="ok", prompt_tokens=50_000))
    text = "word " * 200
    assert bench.prompt_tokens(text) == 250
    await bench.runner.answer(bench.served(messages=[{"role": "user", "content": text}]))
    assert bench.prompt_tokens(text) == 275


async def test_tools_count_as_prompt_tokens_and_teach_nothing() -> None:
    tools = [{"type": "function", "function": {"name": "find", "description": "d" * 400}}]
    bench = Bench(a=lambda: Reply(200, b"{}", text="ok", prompt_tokens=900))
    served = bench.served(tools=tools)
    assert served.demand.prompt_tokens[0] > 100
    before = bench.prompt_tokens()
    for _ in range(30):
        await bench.runner.answer(bench.served(tools=tools))
    assert bench.prompt_tokens() == before


async def test_log_has_the_attempts_before_the_client_has_the_answer() -> None:
    bench = Bench(a=says("no"), b=says("right"))
    await bench.runner.answer(bench.served(RIGHT))
    assert bench.ledger.answers == [["a", "b"]]


async def test_log_has_the_attempt_before_the_end_of_a_stream_is_sent() -> None:
    bench = Bench(a=says("right"))
    _, pieces = await bench.runner.pass_through(bench.served(stream=True))
    seen = [(b"laar" in piece.events, list(bench.ledger.answers)) async for piece in pieces]
    assert [answers for has_laar, answers in seen if has_laar] == [[["a"]]]
    assert seen[0] == (False, [])


async def test_request_without_an_answer_is_not_announced_to_the_log() -> None:
    bench = Bench(a=breaks)
    with pytest.raises(ModelsUnavailableError):
        await bench.runner.answer(bench.served())
    assert bench.ledger.answers == []


async def test_answer_that_the_log_refuses_is_not_given() -> None:
    bench = Bench(a=says("right"))
    bench.ledger.is_full = True
    with pytest.raises(LogUnavailableError, match="full"):
        await bench.runner.answer(bench.served())
    _, pieces = await bench.runner.pass_through(bench.served(stream=True))
    got: list[bytes] = []
    with pytest.raises(LogUnavailableError, match="full"):
        await read_into(got, pieces)
    assert b'"stop"' not in b"".join(got)
    bench.assert_nothing_left()


# -- refuted early ----------------------------------------------------------------------------------------------------

EXACT = {"verify": {"type": "exact", "value": "rightright"}}
PROSE = "Well, this is a long story about nothing."


def writes(text: str) -> Behaviour:
    """A second of silence, then as a stream a word of the text each second."""
    return lambda: Slow(1.0, text)


async def refuting(model: Behaviour, *, plain_answers: int = PLAIN_ANSWERS, **options: Any) -> Bench:
    """A bench whose model `a` has given so many whole answers."""
    bench = Bench(a=model, b=writes("right right"), **options)
    for _ in range(plain_answers):
        await bench.runner.answer(bench.served())
    return bench


async def test_answer_whose_beginning_rules_it_out_makes_room_for_the_next_model() -> None:
    bench = await refuting(writes(PROSE))
    served = bench.served(EXACT, stream=True)
    answer = await bench.runner.answer(served)
    first = served.log.attempts[0]
    assert outcome(served) == [("a", "wrong"), ("b", "correct")]
    assert (first.reason, first.read) == ("refuted_early", "Well,this")
    assert first.latency_s == pytest.approx(3.0, abs=0.01)
    assert answer.model == "b"
    bench.assert_nothing_left()


async def test_refuted_answer_says_how_much_of_what_was_expected_it_spared() -> None:
    bench = await refuting(writes(PROSE), latency_s=10.0, learns=False)
    served = bench.served(EXACT, stream=True, max_tokens=50)
    await bench.runner.answer(served)
    spared = served.log.attempts[0].spared
    assert spared is not None
    assert spared.seconds == pytest.approx(7.0, abs=0.01)
    assert spared.tokens == 48.0
    # the engine has counted none, and the length of a part would pass for that of an answer
    reply = served.log.attempts[0].reply
    assert reply is not None
    assert reply.output_tokens is None
    assert served.log.attempts[1].spared is None


async def test_model_that_is_not_known_to_think_apart_is_let_finish() -> None:
    bench = await refuting(writes(PROSE), plain_answers=PLAIN_ANSWERS - 1)
    served = bench.served(EXACT, stream=True)
    await bench.runner.answer(served)
    assert [a.reason for a in served.log.attempts] == ["differs", "matched"]


async def test_model_that_thinks_in_its_text_is_let_finish() -> None:
    bench = await refuting(writes("Well, I think so.</think>right right"))
    served = bench.served(EXACT, stream=True)
    await bench.runner.answer(served)
    assert outcome(served) == [("a", "correct")]


async def test_answer_is_let_finish_where_the_request_may_make_the_template_think() -> None:
    bench = await refuting(writes(PROSE))
    served = bench.served(EXACT, stream=True, chat_template_kwargs={"thinking": True})
    await bench.runner.answer(served)
    assert served.log.attempts[0].reason == "differs"


async def test_last_answer_is_let_finish_and_given_unverified() -> None:
    bench = await refuting(writes(PROSE))
    served = bench.served(EXACT | {"max_attempts": 1}, stream=True)
    answer = await bench.runner.answer(served)
    assert (answer.model, answer.reason) == ("a", "differs")


async def test_part_of_an_answer_is_given_to_no_client() -> None:
    bench = await refuting(writes(PROSE))
    bench.backend.behaviours = {"a": writes(PROSE), "b": breaks}
    served = bench.served(EXACT, stream=True)
    with pytest.raises(NotVerifiedError, match="none of"):
        await bench.runner.answer(served)
    bench.assert_nothing_left()


async def test_verdict_on_a_beginning_teaches_like_one_on_an_answer() -> None:
    bench = await refuting(writes(PROSE))
    before = await bench.believed_of_a()
    await bench.runner.answer(bench.served(EXACT, stream=True))
    assert await bench.believed_of_a() < before


# -- repairs ----------------------------------------------------------------------------------------------------------

DIGITS = {"verify": {"type": "regex", "pattern": "[0-9]+"}}


def in_turn(*replies: Behaviour) -> Behaviour:
    left = iter(replies)

    def the_next() -> Any:
        return next(left)()

    return the_next


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="held")])
async def test_wrong_answer_goes_back_to_its_model_once(stream: bool) -> None:
    bench = Bench(repair="always", a=in_turn(says("no"), says("nor this")), b=says("7"))
    served = bench.served(DIGITS, stream=stream)
    await bench.runner.answer(served)
    assert outcome(served) == [("a", "wrong"), ("a", "wrong"), ("b", "correct")]
    assert [a.is_repair for a in served.log.attempts] == [False, True, False]
    first, mended, last = map(json.loads, bench.backend.bodies)
    assert [m["role"] for m in mended["messages"]] == ["user", "assistant", "user"]
    assert (mended["messages"][1]["content"], last) == ("no", first)
    assert served.log.failed_models == ("a",)
    bench.assert_nothing_left()


async def test_repair_that_is_right_ends_the_request_and_teaches_nothing_of_first_answers() -> None:
    bench, plain = (Bench(repair=mode, a=in_turn(says("no"), says("7")), b=says("7")) for mode in ("always", "never"))
    for one in (bench, plain):
        await one.runner.answer(one.served(DIGITS))
    assert bench.backend.asked == ["a", "a"]
    assert await bench.believed_of_a() == await plain.believed_of_a()


async def test_repair_teaches_nothing_of_lengths_and_times() -> None:
    def answers(text: str, tokens: int) -> Behaviour:
        return lambda: Reply(200, b"{}", text=text, output_tokens=tokens)

    learned = []
    for mode in ("always", "never"):
        bench = Bench(repair=mode, a=in_turn(answers("no", 10), answers("7", 500)), b=says("7"))
        await bench.runner.answer(bench.served(DIGITS))
        builder = bench.routing.builder
        learned.append((builder.output_tokens(bench.served().demand, "a"), builder.latency_ratios["a"]))
    assert learned[0] == learned[1]


@pytest.mark.parametrize(
    ("laar", "repair", "asked"),
    [
        pytest.param(DIGITS, "never", "ab", id="off"),
        pytest.param(DIGITS | {"max_attempts": 1}, "always", "a", id="no-attempt-left"),
        pytest.param(DIGITS | {"max_attempts": 2}, "always", "aa", id="counts-as-an-attempt"),
        pytest.param(RIGHT, "always", "ab", id="check-of-another-kind"),
    ],
)
async def test_repair_is_one_of_the_attempts_and_for_checks_of_form(
    laar: dict[str, Any], repair: str, asked: str
) -> None:
    bench = Bench(a=says("no"), b=says("7 right"), repair=repair)
    await bench.runner.answer(bench.served(laar))
    assert "".join(bench.backend.asked) == asked


async def test_repairs_that_were_never_right_are_given_up() -> None:
    bench = Bench(repair="learned", a=lambda: Slow(1.0, "no"), b=lambda: Slow(1.0, "7"))
    bench.routing.chances.learner = None
    for _ in range(20):
        await bench.runner.answer(bench.served(DIGITS, key="one"))
    asked = "".join(bench.backend.asked)
    assert (asked[:3], asked[-4:]) == ("aab", "abab")
    # what one tenant's answers teach is not what is expected of another's
    await bench.runner.answer(bench.served(DIGITS, key="two"))
    assert "".join(bench.backend.asked).removeprefix(asked) == "aab"


async def test_engine_that_refuses_a_repair_does_not_end_the_request() -> None:
    bench = Bench(repair="always", a=in_turn(says("no"), refuses(400, invalid=True)), b=says("7"))
    answer = await bench.runner.answer(bench.served(DIGITS))
    assert (answer.model, bench.backend.asked) == ("b", ["a", "a", "b"])


async def test_check_that_follows_from_the_request_is_the_one_that_a_verdict_is_weighed_by() -> None:
    bench = Bench(a=says("A"), b=says("A"))
    question = {"role": "user", "content": "Which is larger?\nA) one\nB) two"}
    served = bench.served({"verify": {"type": "auto"}}, messages=[question])
    await bench.runner.answer(served)
    assert served.log.attempts[-1].reason == "agrees"
    assert served.log.attempts[-1].check == served.request.verify.fallible_name is not None


@pytest.mark.parametrize("asks", [pytest.param({}, id="default"), pytest.param(RIGHT, id="of-the-request")])
async def test_verdict_of_the_operators_check_is_weighed_by_that_check(asks: dict[str, Any]) -> None:
    bench = Bench(a=says("right"), b=says("right"))
    before, agreement = await bench.believed_of_a(), {"type": "agreement"}
    for _ in range(3):
        served = bench.served(asks, key="one", default_verify=agreement)
        await bench.runner.answer(served)
    moved = await bench.believed_of_a() != before
    assert served.log.attempts[-1].check == (None if asks else "agreement:text")
    # an agreement that nobody has measured teaches nothing, whatever key it came with
    assert moved is bool(asks)


async def test_streams_that_are_held_are_bounded_in_all_and_leave_nothing_behind() -> None:
    bench = Bench(a=says("right " * 50), limits=Limits(max_held_bytes=1000))
    for _ in range(2):
        with pytest.raises(OverloadedError, match="answers of more than 1000 bytes wait for their verdict"):
            await bench.runner.answer(bench.served(RIGHT, stream=True))
    bench.assert_nothing_left()
    assert bench.is_healthy()
    bench.backend.behaviours = {"a": says("right")}
    await bench.runner.answer(bench.served(RIGHT, stream=True))


async def test_answer_too_large_to_be_held_is_the_requests_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.router.attempt.runner.MAX_ANSWER_BYTES", 1000)
    bench = Bench(a=says("right " * 50), b=says("right"))
    with pytest.raises(EngineRefusalError, match="status 400") as caught:
        await bench.runner.answer(bench.served(RIGHT, stream=True))
    assert b"ask for fewer tokens or log probabilities" in caught.value.body()
    assert bench.backend.asked == ["a"]
    assert bench.is_healthy()


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="held")])
async def test_time_of_whole_answers_corrects_the_expected_latency(stream: bool) -> None:
    bench = Bench(latency_s=4.0, a=lambda: Slow(1.0, "right"), b=says("right"))
    for _ in range(30):
        await bench.runner.answer(bench.served(RIGHT, stream=stream))
    (candidate, _) = bench.routing.builder.candidates(bench.served().demand, None, 0.0)
    # a held stream pauses before each word as well
    assert candidate.latency_s == pytest.approx(2.0 if stream else 1.0, rel=0.1)
    assert bench.routing.builder.latency.attempts == [30, 0]


def expected_length(bench: Bench, key: str = "") -> float:
    return bench.routing.builder.output_tokens(bench.served(key=key).demand, "a")


@pytest.mark.parametrize(
    ("model", "is_learned"), [pytest.param("auto", True, id="auto"), pytest.param("a", False, id="named")]
)
async def test_lengths_are_learned_for_the_tenant_alone_that_lets_laar_choose(model: str, is_learned: bool) -> None:
    bench = Bench(a=writes("one two"))
    before = expected_length(bench)
    for _ in range(10):
        await bench.runner.answer(bench.served(RIGHT, key="one", model=model, stream=True))
    assert (expected_length(bench, "one") < before) is is_learned
    assert expected_length(bench, "other") == before


async def test_thoughts_are_no_part_of_the_length_that_is_learned() -> None:
    bench = Bench(a=says("right"))
    builder, served = bench.routing.builder, bench.served()
    effect = BudgetEffect(
        budgets=np.array([1000.0]),
        tokens=np.array([1000.0]),
        is_known=np.array([True]),
        probability=np.array([0.5]),
        service_s=np.array([1.0]),
    )
    demand = replace(served.demand, thinking=effect)
    forecast = builder.forecast(demand, "a", served.log)
    assert forecast is not None
    before = expected_length(bench)
    assert forecast.output_tokens == before + 1000
    for _ in range(100):
        builder.learn_length(demand, forecast, int(before) + 1000)
    assert expected_length(bench) == pytest.approx(before)


async def test_stream_that_goes_through_teaches_its_first_token_however_slowly_it_is_read() -> None:
    bench = Bench(a=lambda: Slow(0.5, "one two"), b=says("right"))
    _, chunks = await bench.runner.pass_through(bench.served(stream=True))
    async for _ in chunks:
        await asyncio.sleep(60.0)
    assert bench.routing.builder.latency.attempts == [1, 0]
    # expected 1 s, the first word came after 0.5 + 0.5
    assert bench.routing.builder.latency_ratios == {"a": pytest.approx(1.0, rel=0.01), "b": None}


async def test_attempts_without_a_whole_answer_teach_no_latency() -> None:
    bench = Bench(a=lambda: Reply(500, b"{}"), b=hangs)
    with pytest.raises(DeadlineError, match="no answer in time"):
        await bench.runner.answer(bench.served({"deadline_s": 3, "verify": RIGHT["verify"]}))
    assert bench.routing.builder.latency.attempts == [0, 0]


async def test_thinking_is_told_how_often_a_model_was_asked_before() -> None:
    bench = Bench(a=says("no"), b=says("no"))
    thinking = MagicMock()
    bench.routing.thinking = thinking
    await bench.runner.answer(bench.served(RIGHT | {"max_attempts": 4}, temperature=0.7))
    told = [(call.args[0], call.kwargs["tries"]) for call in thinking.controller.observe.call_args_list]
    before = [bench.backend.asked[:number].count(model) for number, model in enumerate(bench.backend.asked)]
    assert told == list(zip(bench.backend.asked, before, strict=True))
