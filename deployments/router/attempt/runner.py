"""The loop that closes: ask a model, have the answer verified, ask the next, until one is right.

No Ray in here: models and verifier are reached through `Backend`, so that the loop runs in a test as in
production.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import msgspec

from deployments.contract.errors import (
    BrokenStreamError,
    ContextLengthError,
    DeadlineError,
    EngineRefusalError,
    LaarError,
    LateStreamError,
    ModelsFailedError,
    ModelsUnavailableError,
    NothingNewError,
    NotVerifiedError,
    OverloadedError,
    error_body,
)
from deployments.contract.forwarded import FORWARDED
from deployments.contract.reply import MAX_ANSWER_BYTES, Chunk, Reply, reply_of
from deployments.contract.verdict import Evidence, OtherAnswer, Outcome, Reason, Verdict, wrong
from deployments.router.attempt.beginnings import Beginning, PlainSpeakers
from deployments.router.attempt.earlier import NOTHING_EARLIER
from deployments.router.attempt.retries import Retries
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import (
    FAULTS,
    FROM_OUTCOME,
    OVERTAKEN,
    Attempt,
    Spared,
    Status,
    StopReason,
    Tries,
)
from deployments.router.choice.budgets import overrides
from deployments.router.choice.chances import HeardVerdict
from deployments.router.choice.overlap import MAX_UNDER_WAY, TimedAttempt, look_after_s
from deployments.router.choice.policy import Candidate, Decision, Exclusion
from deployments.router.choice.repair import RepairShares, mending
from deployments.router.choice.routing import Routing
from deployments.router.http import sse
from deployments.router.http.answers import laar_json
from deployments.router.http.request import AUTO, Endpoint, RoutedRequest, with_turns
from deployments.router.latency.learning import Forecast
from deployments.router.settings import Limits, RouterSettings
from deployments.router.upkeep.request_logger import RequestLedger
from deployments.verifier.checks import Spec

logger = logging.getLogger("ray.serve")

# A model that is silent for so many times what its longest answer should take is taken for hanging. So is one that
# streams, if it is silent for so many times what its first token should take, and for a pause on top of that.
PATIENCE, PAUSE_S = 2.0, 20.0
# A verifier that broke down is started anew within this time, in which a request waits so long for it at most.
VERIFIER_AWAY_S, VERIFIER_PATIENCE_S = 15.0, 2.0
# Verdicts wait so long at most to be learned: many in a row take less than half of what they take one by one.
LEARNED_WITHIN_S = 0.05


class BackendError(Exception):
    """A deployment could not be reached or broke down; says nothing about the request."""


class VerifierGoneError(BackendError):
    """The verifier's process died; no check of any tenant can bring that about by failing."""


class Backend(Protocol):
    """The way to the models and the verifier. Cancelling a call cancels the work behind it."""

    async def generate(self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        """One answer to the body with some of its fields replaced; raises BackendError, may wait for ever."""
        ...

    def stream(
        self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[Chunk | Reply, None]:
        """The chunks of a stream, or an error Reply where it fails; closing it early stops the generation."""
        ...

    def verdict_here(self, spec: Spec, evidence: Evidence) -> Verdict | None:
        """The verdict of a check that the router makes itself, as it is quick; None for any other."""
        ...

    async def verify(self, spec: Spec, evidence: Evidence) -> Verdict:
        """The verifier's verdict on one answer; raises BackendError, may wait for ever."""
        ...


class Observer(Protocol):
    """Is told of every attempt that has ended, and what choosing and checking took."""

    def attempt_ended(self, served: ServedRequest, attempt: Attempt) -> None: ...

    def decided(self, seconds: float) -> None: ...

    def checked(self, check: str, seconds: float) -> None: ...


class Runner:
    """Runs requests one attempt after another; all state of one is in its ServedRequest."""

    def __init__(
        self,
        *,
        routing: Routing,
        backend: Backend,
        observer: Observer,
        ledger: RequestLedger,
        retries: Retries,
        settings: RouterSettings,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._routing, self._backend, self._observer, self._ledger = routing, backend, observer, ledger
        self._retries, self._settings, self.limits, self._clock = retries, settings, limits, clock
        self._plain_speakers = PlainSpeakers()
        self._repairs = RepairShares()
        self._heard: list[HeardVerdict] = []
        self._held_bytes = 0
        self._verifier_away_until_s = -inf

    def open(self, request: RoutedRequest, *, request_id: str, arrived_s: float, turn: int = 0) -> ServedRequest:
        """A request about to be served; limits of the operator cap what the request asks for.

        What it asks for itself counts from the first request on, if it is a retry; limits count for each request.
        """
        options, limits, features = request.options, self.limits, self._routing.features(request)
        earlier = self._retries.earlier(request)
        own_attempts = (options.max_attempts or inf) - earlier.num_attempts
        log = Tries(
            max_attempts=int(min(own_attempts, limits.max_attempts)),
            deadline_at_s=arrived_s + min((options.deadline_s or inf) - earlier.since_s, limits.deadline_s),
            is_repeatable=request.is_repeatable,
            target_at_s=inf if (target := options.target) is None else arrived_s + target.by_s - earlier.since_s,
            earlier=earlier,
        )
        return ServedRequest(
            request_id=request_id,
            request=request,
            features=features,
            demand=self._routing.demand(request, features),
            log=log,
            turn=turn,
            arrived_s=arrived_s,
        )

    def decide(self, served: ServedRequest, *, may_explore: bool = False) -> Decision | None:
        began_s = self._clock()
        decision = self._routing.decide(
            served.request, served.demand, served.log, turn=served.turn, now_s=began_s, may_explore=may_explore
        )
        took_s = self._clock() - began_s
        self._observer.decided(took_s)
        if served.trace is not None:
            served.trace.decided(decision, took_s)
        if decision is None and served.log.is_only_guessed:
            # nobody said that the same request should go elsewhere
            served.log.earlier = NOTHING_EARLIER
            return self.decide(served, may_explore=may_explore)
        if decision is not None and not served.log.attempts:
            served.bucket_label = self._routing.buckets.label(decision.chosen.bucket)
            served.promised = decision.promised
        return decision

    async def answer(self, served: ServedRequest) -> Attempt:
        """The attempt whose reply the client gets; raises the LaarError that says why there is none."""
        try:
            answer = self._settle(served, await self._run_attempts(served))
        except LaarError:
            self._retries.tell(served, None)
            raise
        self._retries.tell(served, answer.model)
        self._ledger.answer_ready(served, answer)
        self._retries.answered(served, answer)
        return answer

    async def pass_through(self, served: ServedRequest) -> tuple[str, AsyncGenerator[Chunk, None]]:
        """The model that has begun to stream, and its chunks; a model that fails before is replaced."""
        while (stop := served.log.stop_reason(self._clock())) is None:
            decision = self.decide(served)
            if decision is None:
                stop = StopReason.NO_MODEL_LEFT
                break
            flow = self._flow(served, decision)
            first = await anext(flow, None)
            if first is not None:
                return decision.chosen.model, _chain(first, flow)
        self._retries.tell(served, None)
        raise self._failure(served, stop)

    # -- attempts -----------------------------------------------------------------------------------------

    async def _run_attempts(self, served: ServedRequest) -> StopReason:
        while (stop := served.log.stop_reason(self._clock())) is None:
            decision = self.decide(served, may_explore=True)
            if decision is None:
                return StopReason.NO_MODEL_LEFT
            if decision.chance_left < self._settings.give_up_below and not served.log.is_only_guessed:
                return StopReason.UNLIKELY
            if self._may_overlap(served, decision):
                await self._overlapped(served, decision)
            else:
                self._book(served, await self._attempt(served, decision))
            if (repair := self._repair(served)) is not None:
                self._book(served, await self._attempt(served, *repair))
        return stop

    def _may_overlap(self, served: ServedRequest, decision: Decision) -> bool:
        is_checked = served.request.wants_verification and decision.has_alternative
        return self._settings.overlap == "auto" and is_checked

    async def _overlapped(self, served: ServedRequest, decision: Decision) -> None:
        """Attempts until one ends the request or none is under way; each further one starts when that pays.

        What is still under way then is cut, and stands in the log before the attempt that has overtaken it.
        """
        running: dict[asyncio.Task[Attempt], tuple[Candidate, float]] = {}
        ended: list[Attempt] = []
        following: Decision | None = decision
        try:
            while running or following is not None:
                wait_s = None
                if following is not None and (wait_s := self._look_after_s(running, following)) == 0:
                    attempt = asyncio.create_task(self._attempt(served, following))
                    running[attempt] = (following.chosen, self._clock())
                    following = self._following(served, running)
                    continue
                done, _ = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                ended = sorted((task.result() for task in done), key=lambda a: a.is_answer)
                for task in done:
                    del running[task]
                if ended and (ended[-1].is_answer or ended[-1].is_futile):
                    served.log.cut_reason = OVERTAKEN
                    await _cut(running)
                while ended:
                    self._book(served, ended.pop(0))
                following = self._following(served, running) if running else None
        finally:
            # a client may leave just when attempts have ended; they cost what they cost
            for each in [*ended, *await _cut(running)]:
                self._book(served, each)

    def _following(self, served: ServedRequest, running: Mapping[Any, Any]) -> Decision | None:
        """The untried model that would be asked next, if one may be asked beside those that are at work."""
        now_s, log = self._clock(), served.log
        if len(running) >= MAX_UNDER_WAY or log.stop_reason(now_s) is not None:
            return None
        found = self._routing.decide(served.request, served.demand, log, turn=served.turn, now_s=now_s)
        is_worth = found is not None and found.chance_left >= self._settings.give_up_below
        return found if found is not None and is_worth and found.chosen.exclusion is None else None

    def _look_after_s(self, running: Mapping[Any, tuple[Candidate, float]], following: Decision) -> float:
        """Seconds after which to look again whether the next model should start; 0: now."""
        now_s, spread = self._clock(), self._routing.builder.spread
        begun = [
            TimedAttempt.of(chosen, spread=spread(chosen.model), elapsed_s=now_s - began_s)
            for chosen, began_s in running.values()
        ]
        chosen = following.chosen
        return look_after_s(begun, TimedAttempt.of(chosen, spread=spread(chosen.model))) if begun else 0.0

    def _repair(self, served: ServedRequest) -> tuple[Decision, bytes] | None:
        """To give the model its wrong answer back, and the body to do it with; None where it is not to be done."""
        mode, log, request, now_s = self._settings.repair, served.log, served.request, self._clock()
        if mode == "never" or request.endpoint is not Endpoint.CHAT:
            return None
        if log.stop_reason(now_s) is not None or not log.may_be_repaired():
            return None
        last = log.attempts[-1]
        verdict = wrong(Reason(last.reason), last.read)
        complaint, reply = request.verify.complaint(verdict), last.reply
        turns = mending(reply, complaint) if reply is not None and complaint is not None else None
        if turns is None:
            return None
        decision = self._routing.repair(
            request,
            served.demand,
            log,
            chance=self._repairs.of(request.tenant.id, last.model, served.check_type),
            turn=served.turn,
            now_s=now_s,
            always=mode == "always",
        )
        return None if decision is None else (decision, with_turns(request, turns))

    def _attempt(
        self, served: ServedRequest, decision: Decision, repair: bytes | None = None
    ) -> Coroutine[Any, Any, Attempt]:
        """One model asked once, with the request as it came or with a `repair` of it; under way from now on."""
        return self._begun(served, decision, self._watch(served, decision, repair))

    async def _begun(self, served: ServedRequest, decision: Decision, watch: "_Watch") -> Attempt:
        chosen, sent_s, reply = decision.chosen, self._clock(), None
        try:
            reply, fault = await self._ask(served, decision, watch)
            if reply is not None and reply.in_flight is not None:
                self._routing.load.report(chosen.model, reply.in_flight)
            if reply is None or reply.status >= 400:
                reason = _fault_reason(reply, fault)
                return self._ended(chosen, sent_s, fault or Status.ERROR, reason, reply, watch)
            if not watch.is_repair:
                self._learn_tokens(served, chosen, reply)
                self._learn_latency(served, watch, reply, self._clock() - sent_s)
            if not watch.is_refuted:
                self._plain_speakers.heard(chosen.model, reply.text)
            if not served.request.wants_verification:
                return self._ended(chosen, sent_s, Status.UNVERIFIED, "not_requested", reply, watch)
            verdict = (
                wrong(Reason.REFUTED_EARLY, reply.text)
                if watch.is_refuted
                else await self._verify(served, chosen.model, reply)
            )
            check = served.request.verify.fallible_name if verdict.is_of_the_check else None
            if not watch.is_repair:
                self._learn(served, chosen, verdict, check)
            elif verdict.was_right is not None:
                whose = served.request.tenant.id, chosen.model, served.check_type
                self._repairs.learn(*whose, is_right=verdict.was_right)
            status = FROM_OUTCOME[verdict.outcome]
            ended = self._ended(chosen, sent_s, status, verdict.reason.value, reply, watch)
            spared = self._spared(served, decision, watch, ended)
            return msgspec.structs.replace(ended, read=verdict.read, check=check, judges=verdict.judges, spared=spared)
        except asyncio.CancelledError:
            cut = self._ended(chosen, sent_s, Status.CANCELLED, served.log.cut_reason, reply, watch)
            if cut.reason == OVERTAKEN and reply is None and not watch.is_repair:
                self._learn_cut(watch, cut.latency_s)
            self._book(served, cut)
            raise

    async def _ask(
        self, served: ServedRequest, decision: Decision, watch: "_Watch"
    ) -> tuple[Reply | None, Status | None]:
        """The reply, or in which way there was none."""
        chosen, request = decision.chosen, served.request
        self._start(served, chosen, watch)
        try:
            if request.stream:
                return await self._collect(served, decision, watch), None
            async with asyncio.timeout(self._attempt_time_s(served, decision, watch)):
                overrides = self._overrides(request, chosen)
                reply = await self._backend.generate(chosen.model, request.endpoint.value, watch.body, overrides)
                watch.has_begun = True
                return reply, None
        except TimeoutError:
            return None, Status.TIMEOUT
        except BackendError as error:
            logger.warning("attempt failed: %s", error, exc_info=error.__cause__)
            return None, Status.ERROR
        finally:
            self._routing.load.finish(chosen.model, chosen.prompt_tokens)

    async def _collect(self, served: ServedRequest, decision: Decision, watch: "_Watch") -> Reply:
        """Hold a whole stream back as one reply, so that it can be verified before anyone sees it.

        What can no longer be right is let go where another model can still be asked.
        """
        chunks: list[Chunk] = []
        size_bytes = 0
        beginning = self._beginning(served, decision)
        try:
            async with aclosing(self._stream(served, decision.chosen, watch.body)) as upstream:
                while (chunk := await self._next_chunk(served, upstream, decision, watch)) is not None:
                    if isinstance(chunk, Reply):
                        return chunk
                    chunks.append(chunk)
                    size_bytes += len(chunk.events)
                    self._held_bytes += len(chunk.events)
                    if size_bytes > MAX_ANSWER_BYTES:
                        return _too_large()
                    if self._held_bytes > self.limits.max_held_bytes:
                        what = f"answers of more than {self.limits.max_held_bytes} bytes wait for their verdict"
                        raise OverloadedError(what, retry_after_s=1)
                    if beginning is not None and beginning.is_refuted_with(chunk):
                        watch.refuted_tokens = beginning.num_tokens
                        return reply_of(chunks)
        except (BackendError, TimeoutError):
            if not any(chunk.finish_reason for chunk in chunks):
                raise
        finally:
            self._held_bytes -= size_bytes
        if chunks and not chunks[-1].is_last:
            chunks.append(sse.DONE)
        reply = reply_of(chunks)
        if reply.finish_reason is None:
            raise BackendError(f"model '{decision.chosen.model}': the stream broke off")
        return reply

    def _beginning(self, served: ServedRequest, decision: Decision) -> Beginning | None:
        """What watches the answer; None where it has to be finished in any case, as there may be no other."""
        if not self._can_go_on(served, decision):
            return None
        model = decision.chosen.model
        return Beginning(
            spec=served.request.verify,
            language=served.features.language,
            model=model,
            # a template may think where the request tells it to
            reads_text=served.request.is_plain_text and self._plain_speakers.has(model),
        )

    def _stream(self, served: ServedRequest, chosen: Candidate, body: bytes) -> AsyncGenerator[Chunk | Reply, None]:
        request, overrides = served.request, self._overrides(served.request, chosen)
        return self._backend.stream(chosen.model, request.endpoint.value, body, overrides)

    async def _verify(self, served: ServedRequest, model: str, reply: Reply) -> Verdict:
        """The verdict, with what it took told to whoever observes."""
        began_s, verdict = self._clock(), None
        try:
            verdict = await self._verdict(served, model, reply)
            return verdict
        finally:
            took_s = self._clock() - began_s
            self._observer.checked(served.check_type, took_s)
            if served.trace is not None and verdict is not None:
                served.trace.checked(model, served.check_type, verdict.outcome.value, took_s)

    async def _verdict(self, served: ServedRequest, model: str, reply: Reply) -> Verdict:
        """The verdict. A check that breaks down at the verifier is made once more.

        A verifier that has died is started anew. Until it has made a check again no request waits long for it: without
        a replica nothing would answer, or fail, before the deadline.
        """
        spec, evidence = served.request.verify, _evidence(served, model, reply)
        if (verdict := self._backend.verdict_here(spec, evidence)) is not None:
            return verdict
        try:
            async with asyncio.timeout(self._time_left_s(served)):
                if self._clock() >= self._verifier_away_until_s:
                    with suppress(BackendError):
                        return await self._ask_verifier(spec, evidence)
                is_away = self._clock() < self._verifier_away_until_s
                with suppress(BackendError, TimeoutError) if is_away else suppress(BackendError):
                    asked = self._ask_verifier(spec, evidence)
                    return await asyncio.wait_for(asked, VERIFIER_PATIENCE_S if is_away else None)
                return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.VERIFIER_FAILED)
        except TimeoutError:
            return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.TIMED_OUT)

    async def _ask_verifier(self, spec: Spec, evidence: Evidence) -> Verdict:
        began_s = self._clock()
        try:
            verdict = await self._backend.verify(spec, evidence)
        except BackendError as error:
            if isinstance(error, VerifierGoneError):
                self._verifier_away_until_s = self._clock() + VERIFIER_AWAY_S
            logger.warning("verifier failed", exc_info=True)
            raise
        went_away_s = self._verifier_away_until_s - VERIFIER_AWAY_S
        if -inf < went_away_s <= began_s:
            self._verifier_away_until_s = -inf
        return verdict

    async def _flow(self, served: ServedRequest, decision: Decision) -> AsyncGenerator[Chunk, None]:
        """The chunks of one attempt as they come; none at all if it fails before the first.

        Raises LaarError where the client cannot have the rest.
        """
        chosen, sent_s, watch, last = decision.chosen, self._clock(), self._watch(served, decision), None
        attempt: Attempt | None = None
        self._retries.tell(served, chosen.model)
        self._start(served, chosen, watch)
        try:
            async with aclosing(self._stream(served, chosen, watch.body)) as upstream:
                while (chunk := await self._next_chunk(served, upstream, decision, watch)) is not None:
                    if last is None and not isinstance(chunk, Reply):
                        self._learn_first_token(watch, self._clock() - sent_s)
                    if isinstance(chunk, Reply):
                        reason = _fault_reason(chunk, None)
                        attempt = self._ended(chosen, sent_s, Status.ERROR, reason, chunk, watch)
                        break
                    if chunk.finish_reason is not None and attempt is None:
                        attempt = self._ended(chosen, sent_s, Status.UNVERIFIED, "not_requested", None, watch)
                        chunk = self._finished(served.with_attempt(attempt), attempt, chunk)
                    last = chunk
                    yield chunk
            attempt = attempt or self._ended(chosen, sent_s, Status.ERROR, "broke_off", None, watch)
        except TimeoutError:
            attempt = attempt or self._ended(chosen, sent_s, Status.TIMEOUT, "timed_out", None, watch)
        except BackendError as error:
            logger.warning("stream failed: %s", error, exc_info=error.__cause__)
            attempt = attempt or self._ended(chosen, sent_s, Status.ERROR, "replica_failed", None, watch)
        finally:
            self._routing.load.finish(chosen.model, chosen.prompt_tokens)
            self._book(
                served, attempt or self._ended(chosen, sent_s, Status.CANCELLED, served.log.cut_reason, None, watch)
            )
        if last is None or attempt is None:
            return
        if attempt.status not in FAULTS and not last.is_last:
            yield sse.DONE
        if attempt.status in FAULTS:
            raise (LateStreamError if attempt.status is Status.TIMEOUT else BrokenStreamError)(attempt.reason)

    def _finished(self, served: ServedRequest, attempt: Attempt, chunk: Chunk) -> Chunk:
        """The chunk that closes the answer, with the `laar` object; by then the log has what it says."""
        self._ledger.answer_ready(served, attempt)
        self._retries.answered(served, attempt)
        return sse.with_laar(chunk, laar_json(served, self._clock()))

    async def _next_chunk(
        self,
        served: ServedRequest,
        upstream: AsyncGenerator[Chunk | Reply, None],
        decision: Decision,
        watch: "_Watch",
    ) -> Chunk | Reply | None:
        """The first chunk within the time of an attempt, later ones before the deadline."""
        time_s = self._time_left_s(served) if watch.has_begun else self._attempt_time_s(served, decision, watch)
        async with asyncio.timeout(time_s):
            chunk = await anext(upstream, None)
        watch.has_begun = True
        watch.num_tokens += chunk.num_tokens if isinstance(chunk, Chunk) else 0
        return chunk

    # -- bookkeeping --------------------------------------------------------------------------------------

    def _time_left_s(self, served: ServedRequest) -> float:
        return max(0.0, served.log.deadline_at_s - self._clock())

    def _attempt_time_s(self, served: ServedRequest, decision: Decision, watch: "_Watch") -> float:
        """Seconds for one attempt: where another model can still take over, it does so once this one seems to hang.

        Half of a short time is left for it. What looks like hanging may be an engine's pause.
        """
        left_s = self._time_left_s(served)
        time_s = min(left_s, self.limits.attempt_timeout_s)
        if self._can_go_on(served, decision):
            time_s = min(time_s, max(watch.patience_s, min(left_s / 2, PAUSE_S)))
        return time_s

    def _can_go_on(self, served: ServedRequest, decision: Decision) -> bool:
        """Whether another model may be asked after this attempt."""
        return decision.has_alternative and served.log.num_begun < served.log.max_attempts

    def _spared(self, served: ServedRequest, decision: Decision, watch: "_Watch", ended: Attempt) -> Spared | None:
        """What the rest of a refuted answer was expected to take."""
        if watch.refuted_tokens is None:
            return None
        expected = self._routing.builder.output_tokens(served.demand, ended.model)
        return Spared(
            seconds=max(0.0, decision.chosen.latency_s - ended.latency_s),
            tokens=max(0.0, expected - watch.refuted_tokens),
        )

    def _watch(self, served: ServedRequest, decision: Decision, repair: bytes | None = None) -> "_Watch":
        """Of an attempt that is under way from now on."""
        builder, chosen, number = self._routing.builder, decision.chosen, served.log.num_begun
        served.log.begin(chosen.model)
        patience_s = PATIENCE * builder.longest_s(served.demand, chosen)
        if served.request.stream:
            first_s = builder.first_token_s(served.demand, chosen.model)
            patience_s = min(patience_s, PATIENCE * first_s + PAUSE_S)
        return _Watch(
            number=number,
            body=served.request.body if repair is None else repair,
            is_repair=repair is not None,
            patience_s=min(self.limits.attempt_timeout_s, patience_s),
            expected_s=chosen.latency_s,
            expected_tokens=builder.output_tokens(served.demand, chosen.model) * served.request.num_sequences,
            forecast=builder.forecast(served.demand, chosen.model, served.log),
        )

    def _ended(
        self,
        chosen: Candidate,
        sent_s: float,
        status: Status,
        reason: str,
        reply: Reply | None,
        watch: "_Watch",
    ) -> Attempt:
        latency_s = self._clock() - sent_s
        return Attempt(
            model=chosen.model,
            status=status,
            reason=reason,
            latency_s=latency_s,
            probability=chosen.probability,
            is_silent=not watch.has_begun and latency_s >= watch.patience_s,
            thinking_budget=chosen.thinking_budget,
            prompt_tokens=chosen.prompt_tokens,
            bucket=self._routing.buckets.label(chosen.bucket),
            reply=reply,
            written_tokens=watch.written_tokens(latency_s),
            is_repair=watch.is_repair,
        )

    def _book(self, served: ServedRequest, attempt: Attempt) -> None:
        """Log an attempt, and what it says of its model: nothing if the engine is full or refuses, or a client left."""
        served.log.add(attempt)
        # an engine that is not well may refuse too, and a client could make it refuse
        if attempt.status not in FAULTS:
            self._routing.load.succeeded(attempt.model)
            self._routing.builder.has_read(served.demand, attempt.model)
        elif attempt.is_fault_of_model:
            request = served.request
            self._routing.load.failed(attempt.model, self._clock(), tenant=request.tenant.id, body=hash(request.body))
        self._observer.attempt_ended(served, attempt)
        if served.trace is not None:
            served.trace.attempt_ended(attempt)

    def _start(self, served: ServedRequest, chosen: Candidate, watch: "_Watch") -> None:
        """Count an attempt on its model's load, and let its engine know whose it is."""
        context = served.forwarded if served.trace is None else served.trace.attempt_began(chosen)
        FORWARDED.set({"x-request-id": f"{served.request_id}-{watch.number}", **context})
        self._routing.load.start(chosen.model, chosen.prompt_tokens)
        if (thinking := self._routing.thinking) is not None:
            cell = served.features.cell(chosen.bucket)
            thinking.controller.observe(chosen.model, cell, tries=chosen.tries, now_s=self._clock())

    def _overrides(self, request: RoutedRequest, chosen: Candidate) -> dict[str, Any]:
        found = overrides(request, chosen.model, chosen.thinking_budget, self._routing.thinking)
        if request.cache_salt is not None and self._routing.models[chosen.model].takes_salt:
            found["cache_salt"] = request.cache_salt
        return found

    def _learn_tokens(self, served: ServedRequest, chosen: Candidate, reply: Reply) -> None:
        """Let the engine's count correct an estimate that rests on texts alone and on a detected language."""
        if served.request.is_plain_text and served.request.options.language is None:
            language, estimated = served.features.language, chosen.prompt_tokens
            self._routing.tokens.learn(
                chosen.model,
                language,
                estimated=estimated,
                counted=reply.prompt_tokens,
                tenant=served.request.tenant.id,
            )

    def _learn_latency(self, served: ServedRequest, watch: "_Watch", reply: Reply, took_s: float) -> None:
        """Let the time of a whole answer correct L; several at once take another time than one."""
        forecast, learning = watch.forecast, self._settings.learning
        if forecast is None or watch.is_refuted or served.request.num_sequences > 1 or not learning.enabled:
            return
        tokens = sum(chunk.num_tokens for chunk in reply.chunks) if reply.chunks else reply.output_tokens
        is_cut = reply.finish_reason == "length"
        builder = self._routing.builder
        builder.latency.observe(forecast, took_s, now_s=self._clock(), output_tokens=tokens or None)
        # who names the model chooses what is learned of it
        if tokens and served.request.model == AUTO:
            builder.learn_length(served.demand, forecast, tokens, is_cut=is_cut)

    def _learn_cut(self, watch: "_Watch", after_s: float) -> None:
        """Let an attempt that another model has overtaken correct L by what it has taken at least."""
        if watch.forecast is not None and self._settings.learning.enabled:
            self._routing.builder.latency.outlived(watch.forecast, after_s, now_s=self._clock())

    def _learn_first_token(self, watch: "_Watch", took_s: float) -> None:
        """The same of a stream that goes straight through: its end comes when the client has read it."""
        if watch.forecast is not None and self._settings.learning.enabled:
            forecast = msgspec.structs.replace(watch.forecast, output_tokens=1.0)
            self._routing.builder.latency.observe(forecast, took_s, now_s=self._clock())

    def _learn(self, served: ServedRequest, chosen: Candidate, verdict: Verdict, check: str | None) -> None:
        """Let a verdict change what is believed of the model, within LEARNED_WITHIN_S and as far as its check goes."""
        # who names the model chooses what is learned of it
        if served.request.model != AUTO:
            return
        correct, cell = verdict.was_right, served.features.cell(chosen.bucket)
        failed, tenant = served.log.judged_models, served.request.tenant.id
        if not self._heard:
            asyncio.get_running_loop().call_later(LEARNED_WITHIN_S, self._learn_heard)
        self._heard.append(HeardVerdict(chosen.model, cell, correct, check, failed, tenant))

    def _learn_heard(self) -> None:
        heard, self._heard = self._heard, []
        for verdict in heard:
            self._routing.observe(verdict)

    def _settle(self, served: ServedRequest, stop: StopReason) -> Attempt:
        best = served.log.best_answer()
        if best is None:
            raise self._failure(served, stop)
        if best.status in (Status.CORRECT, Status.UNVERIFIED) or self._settings.unverified == "answer":
            return best
        raise self._not_verified(served, stop)

    def _not_verified(self, served: ServedRequest, stop: StopReason) -> NotVerifiedError:
        return NotVerifiedError(f"none of {len(served.log.attempts)} attempts could be verified; stopped by {stop}")

    def _failure(self, served: ServedRequest, stop: StopReason) -> LaarError:
        """Why there is no answer at all; a refusal by the engine counts before a breakdown elsewhere."""
        attempts = served.log.attempts
        for attempt in attempts:
            if attempt.reply is not None and attempt.is_refusal:
                return EngineRefusalError(attempt.reply.status, attempt.reply.body)
        if stop is not StopReason.DEADLINE and any(attempt.is_refuted for attempt in attempts):
            return self._not_verified(served, stop)
        if not attempts and stop is not StopReason.DEADLINE and not served.log.is_first:
            tried = ", ".join(f"'{model}'" for model in served.log.earlier.wrong)
            message = f"nothing new can be tried; models that have answered: {tried}; stopped by {stop}"
            return NothingNewError(message)
        if not attempts and stop is StopReason.NO_MODEL_LEFT:
            return self._nobody_to_ask(served)
        if attempts and all(attempt.is_full for attempt in attempts):
            waits_s = [attempt.reply.retry_after_s or 1 for attempt in attempts if attempt.reply is not None]
            message = f"the models take no more requests for now; attempts: {len(attempts)}"
            return OverloadedError(message, retry_after_s=min(waits_s))
        if stop is StopReason.DEADLINE or (attempts and attempts[-1].status is Status.TIMEOUT):
            return DeadlineError(f"no answer in time; attempts: {len(attempts)}, stopped by {stop}")
        return ModelsFailedError(f"no model answered; {len(attempts)} attempts failed", retry_after_s=1)

    def _nobody_to_ask(self, served: ServedRequest) -> LaarError:
        candidates = self._routing.builder.candidates(served.demand, served.log, self._clock())
        if any(c.exclusion is not Exclusion.CONTEXT_EXCEEDED for c in candidates):
            return ModelsUnavailableError("no model can be asked now", retry_after_s=1)
        field = "messages" if served.request.endpoint is Endpoint.CHAT else "prompt"
        fewest = min(c.prompt_tokens for c in candidates)
        longest = max(self._routing.models[c.model].context_tokens for c in candidates)
        # begins with the words by which clients tell this error from others
        message = (
            f"This model's maximum context length is {longest} tokens. However, your {field} has about {fewest}; "
            f"that is the longest context that was asked for"
        )
        return ContextLengthError(message, param=field)


@dataclass(slots=True)
class _Watch:
    """What has come from a model during an attempt: anything at all, a beginning that refutes it.

    `patience_s` is how long it may be silent at first, `forecast` what it should take, `refuted_tokens` how many tokens
    that beginning has. `num_tokens` have come as chunks. `body` is what the model is asked with, as attempt `number` of
    its request, from 0 on.
    """

    number: int
    body: bytes
    is_repair: bool
    patience_s: float
    expected_s: float
    expected_tokens: float
    num_tokens: int = 0
    forecast: Forecast | None = None
    has_begun: bool = False
    refuted_tokens: int | None = None

    @property
    def is_refuted(self) -> bool:
        return self.refuted_tokens is not None

    def written_tokens(self, elapsed_s: float) -> int:
        """What the model has written so far; while nothing has come, what it should have by now."""
        if self.has_begun:
            return self.num_tokens
        return round(self.expected_tokens * min(1.0, elapsed_s / max(self.expected_s, 1e-9)))


def _too_large() -> Reply:
    """In the place of an answer that is too large to be held; any model would be asked for as much."""
    message = f"the answer has more than {MAX_ANSWER_BYTES} bytes; ask for fewer tokens or log probabilities"
    return Reply(400, error_body(message, code="answer_too_large"), invalid_request=True)


async def _cut(running: dict[asyncio.Task[Attempt], Any]) -> list[Attempt]:
    """Cancel attempts; each books itself, but for those that had ended. It is over when their engines are told."""
    for task in running:
        task.cancel()
    found = await asyncio.gather(*running, return_exceptions=True)
    running.clear()
    return [attempt for attempt in found if isinstance(attempt, Attempt)]


def _fault_reason(reply: Reply | None, fault: Status | None) -> str:
    if fault is Status.TIMEOUT:
        return "timed_out"
    return f"engine_{reply.status}" if reply is not None else "replica_failed"


def _evidence(served: ServedRequest, model: str, reply: Reply) -> Evidence:
    """What the check may look at; what it has no use for stays here, as prompts can be long."""
    spec, others = served.request.verify, tuple[OtherAnswer, ...]()
    if spec.needs_others:
        others = tuple(
            OtherAnswer(model=a.model, answer=a.reply.text, finish_reason=a.reply.finish_reason)
            for a in served.log.attempts
            if a.reply is not None and a.has_answer
        )
    return Evidence(
        answer=reply.text,
        prompt="\n".join(served.request.texts) if spec.needs_prompt else "",
        language=served.features.language,
        model=model,
        others=others,
        finish_reason=reply.finish_reason,
        tool_calls=reply.tool_calls,
        refusal=reply.refusal,
    )


async def _chain(first: Chunk, rest: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk
