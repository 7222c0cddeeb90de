"""The OpenAI endpoints over HTTP, and laar's own. What to do is decided in `runner` and `routing`."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from deployments.contract.errors import LaarError, LogOffError, ModelsUnavailableError, SlowBodyError
from deployments.contract.forwarded import trace_headers
from deployments.contract.reply import Chunk, Reply
from deployments.log.writing.replica_log import ReplicaLog
from deployments.router.attempt.cost import cost_of
from deployments.router.attempt.runner import Runner
from deployments.router.attempt.served_request import ServedRequest, Trace
from deployments.router.attempt.tries import Attempt
from deployments.router.choice.routing import Routing
from deployments.router.dialects.dialects import DIALECTS
from deployments.router.dialects.exchange import Exchange
from deployments.router.http import sse
from deployments.router.http.admission import Offer, admit, refuse_unknown_model
from deployments.router.http.answers import (
    answer_headers,
    explanation,
    laar_json,
    model_header,
    start_headers,
    tried_header,
)
from deployments.router.http.http_io import (
    EXCEPTION_HANDLERS,
    JSON,
    Ending,
    Endings,
    GuardedStream,
    cors,
    name_request,
    read_body,
    request_id_of,
    with_late_errors,
)
from deployments.router.http.request import (
    AUTO,
    RETRY_HEADER,
    Endpoint,
    RoutedRequest,
    endpoint_of,
    parse_feedback,
    with_retry_header,
)
from deployments.router.openapi.document import openapi_json
from deployments.router.settings import Limits
from deployments.router.tenants.allowance import Quota
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.keys import ApiKeys
from deployments.router.tenants.tenant import Role, Tenant

# one request id and one word
MAX_FEEDBACK_BYTES = 1024
Handler = Callable[[Request], Awaitable[Response]]


class TraceSource(Protocol):
    """Begins the trace of a request."""

    def begin(self, served: ServedRequest, route: str) -> Trace: ...


class Endpoints:
    """Chat, completions, the other dialects, models, `/v1/laar/explain` and `/v1/laar/feedback`."""

    def __init__(
        self,
        *,
        runner: Runner,
        routing: Routing,
        offer: Offer,
        keys: ApiKeys,
        gate: Gate,
        endings: Endings,
        log: ReplicaLog | None,
        versions: Mapping[str, str],
        keep_alive_s: float,
        tracer: TraceSource | None = None,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._runner, self._routing, self._offer, self._keys = runner, routing, offer, keys
        self._gate, self._endings, self._log = gate, endings, log
        self._clock, self._wall = clock, wall
        self._prices = {model.name: model.price for model in routing.models.values()}
        self._versions, self._keep_alive_s, self._tracer = versions, keep_alive_s, tracer

    def app(
        self, lifespan: Lifespan[Starlette], more: Sequence[BaseRoute] = (), cors_origins: Sequence[str] = ()
    ) -> Starlette:
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._endpoint(Endpoint.CHAT), methods=["POST"]),
                Route("/v1/completions", self._endpoint(Endpoint.COMPLETIONS), methods=["POST"]),
                *(
                    Route(path, self._endpoint(Endpoint.CHAT, dialect.open), methods=["POST"])
                    for path, dialect in DIALECTS.items()
                ),
                Route("/v1/models", self._list_models),
                Route("/v1/models/", self._list_models),
                Route("/v1/models/{model:path}", self._show_model),
                Route("/v1/laar/explain", self._explain, methods=["POST"]),
                Route("/v1/laar/feedback", self._feedback, methods=["POST"]),
                *more,
                Route("/openapi.json", self._describe),
                Route("/health", self._health),
                Route("/ready", self._ready),
            ],
            middleware=cors(cors_origins),
            exception_handlers=EXCEPTION_HANDLERS,
            lifespan=lifespan,
        )
        # a redirect would name the Host header of whoever asks, before any key is asked for
        app.router.redirect_slashes = False
        return app

    def take_limits(self, limits: Limits) -> None:
        """Hold requests that come from now on to these limits; those under way keep the ones they came with."""
        self._offer = dataclasses.replace(self._offer, limits=limits)
        self._runner.limits = limits
        self._gate.take(limits.doors)

    def check_health(self) -> None:
        """Decide on a canned request, so that a broken language model or profile shows."""
        request = admit(b'{"model":"auto","prompt":"Is everything well?"}', Endpoint.COMPLETIONS, self._offer)
        served = self._runner.open(request, request_id="health", arrived_s=self._clock())
        if not self._routing.builder.candidates(served.demand, served.log, self._clock()):
            raise RuntimeError("the router has no model to choose from")

    # -- endpoints ----------------------------------------------------------------------------------------

    def _endpoint(self, endpoint: Endpoint, open_: Callable[[bytes], Exchange] = Exchange) -> Handler:
        async def handle(http: Request) -> Response:
            arrived_s = self._clock()
            async with AsyncExitStack() as guard:
                end = guard.enter_context(self._endings.told(arrived_s))
                tenant = self._tenant(http, Role.ASK)
                if self._log is not None:
                    self._log.refuse_if_full()
                exchange = open_(await self._body(http, tenant))
                request = admit(exchange.body, endpoint, self._offer, tenant)
                request = with_retry_header(request, http.headers.get(RETRY_HEADER))
                most_s = self._offer.limits.deadline_s
                patience_s = arrived_s + min(request.options.deadline_s or most_s, most_s) - self._clock()
                entered = self._gate.entered(tenant, request.num_sequences, patience_s=patience_s)
                quota = await guard.enter_async_context(entered)
                served = end.served = self._runner.open(
                    request,
                    request_id=request_id_of(http),
                    arrived_s=arrived_s,
                    turn=self._routing.next_turn(),
                )
                served.forwarded = trace_headers(http.headers)
                if self._tracer is not None:
                    served.trace = self._tracer.begin(served, http.url.path)
                guard.callback(self._charge, quota, end)
                try:
                    if not request.stream:
                        return await self._answer(served, end, exchange)
                    send = self._hold if request.wants_verification else self._pass
                    return await send(served, end, guard, exchange)
                except LaarError:
                    name_request(http, served.told_id)
                    raise

        return handle

    async def _answer(self, served: ServedRequest, end: Ending, exchange: Exchange) -> Response:
        answer = await self._runner.answer(served)
        reply, now_s = _reply_in(answer), self._clock()
        body = exchange.answer(sse.json_with_laar(reply.body, laar_json(served, now_s), served.told_id))
        end.meter.add(now_s - served.arrived_s, reply.output_tokens or 0)
        end.meter.is_complete = True
        return Response(body, media_type=JSON, headers=answer_headers(served, answer, now_s))

    async def _hold(self, served: ServedRequest, end: Ending, guard: AsyncExitStack, exchange: Exchange) -> Response:
        """A stream whose tokens wait for the verdict; what fails within the first wait still gets its status."""
        task = await guard.enter_async_context(_running(self._runner.answer(served)))
        await asyncio.wait((task,), timeout=self._keep_alive_s)
        if task.done():
            await task
        return self._stream(self._held(served, task), served, end, guard, exchange, start_headers(served))

    async def _held(self, served: ServedRequest, task: "asyncio.Task[Attempt]") -> AsyncGenerator[Chunk, None]:
        """Comments while attempts run and are verified, then the chunks of the answer."""
        while not task.done():
            yield sse.KEEP_ALIVE
            await asyncio.wait((task,), timeout=self._keep_alive_s)
        answer = await task
        laar = laar_json(served, self._clock())
        for chunk in _reply_in(answer).chunks:
            yield sse.with_laar(chunk, laar)

    async def _pass(self, served: ServedRequest, end: Ending, guard: AsyncExitStack, exchange: Exchange) -> Response:
        """Tokens straight through."""
        model, chunks = await self._runner.pass_through(served)
        guard.push_async_callback(chunks.aclose)
        headers = start_headers(served) | model_header(model) | tried_header(served.tried)
        return self._stream(chunks, served, end, guard, exchange, headers)

    def _stream(
        self,
        chunks: AsyncGenerator[Chunk, None],
        served: ServedRequest,
        end: Ending,
        guard: AsyncExitStack,
        exchange: Exchange,
        headers: dict[str, str],
    ) -> Response:
        told = with_late_errors(chunks, end)
        return GuardedStream(
            told,
            end,
            guard.pop_all(),
            headers,
            told=lambda events: exchange.events(sse.with_id(events, served.told_id)),
            since_arrival_s=lambda: self._clock() - served.arrived_s,
        )

    async def _explain(self, http: Request) -> Response:
        """The decision for a request and its numbers, without running it."""
        tenant = self._tenant(http, Role.ADMIN)
        body = await self._body(http, tenant)
        request = admit(body, endpoint_of(body), self._offer, tenant)
        request = with_retry_header(request, http.headers.get(RETRY_HEADER))
        async with self._gate.entered(tenant):
            return JSONResponse(self._explained(request))

    def _explained(self, request: RoutedRequest) -> dict[str, Any]:
        now_s = self._clock()
        served = self._runner.open(request, request_id="explain", arrived_s=now_s)
        decision = self._runner.decide(served)
        candidates = self._routing.builder.candidates(served.demand, served.log, now_s)
        order = self._routing.rank(request, served.demand, served.log, candidates, turn=served.turn, now_s=now_s) or (
            [decision.chosen] if decision else []
        )
        believed = self._routing.chances.source
        estimates = [believed.estimate(c.model, served.features.cell(c.bucket)) for c in candidates]
        buckets, thinking = self._routing.buckets, self._routing.thinking
        breakers = self._routing.load.breaker_states(now_s, request.tenant.id)
        ratios = self._routing.builder.latency_ratios
        promises = self._routing.promises(request, served.demand, served.log, candidates, now_s)
        told = explanation(
            served, decision, candidates, estimates, order, buckets, breakers, ratios, promises, thinking
        )
        return told | {"versions": dict(self._versions)}

    async def _feedback(self, http: Request) -> Response:
        """What a client found of an answer; a 200 means that the log has it."""
        tenant = self._tenant(http, Role.FEEDBACK)
        feedback = parse_feedback(await self._body(http, tenant, MAX_FEEDBACK_BYTES))
        if self._log is None:
            raise LogOffError("feedback: the operator has turned the attempt log off")
        async with self._gate.entered(tenant):
            await self._log.feedback(feedback.request_id, correct=feedback.correct, api_key_hashes=tenant.ids)
        return JSONResponse({"object": "laar.feedback", **feedback.model_dump()})

    async def _health(self, _http: Request) -> Response:
        """Whether this router replica works; says nothing of models."""
        self.check_health()
        return JSONResponse({"status": "ok"})

    async def _ready(self, _http: Request) -> Response:
        """Whether a request could be answered now: a 503 while no model may be asked; else how many may not be."""
        unavailable = self._routing.unavailable(self._clock())
        if len(unavailable) == len(self._routing.models):
            raise ModelsUnavailableError("no model runs")
        return JSONResponse({"status": "ready", "num_unavailable": len(unavailable)})

    async def _describe(self, http: Request) -> Response:
        """What all routes take and answer; it names no model, so it needs no key."""
        return Response(openapi_json(http.scope.get("root_path", "")), media_type=JSON)

    async def _list_models(self, http: Request) -> Response:
        known = self._offer.to(self._tenant(http, Role.ASK)).known
        return JSONResponse({"object": "list", "data": [self._card(name) for name in known]})

    async def _show_model(self, http: Request) -> Response:
        model = http.path_params["model"]
        refuse_unknown_model(model, self._offer.to(self._tenant(http, Role.ASK)).known)
        return JSONResponse(self._card(model))

    def _card(self, name: str) -> dict[str, Any]:
        """A model as OpenAI lists it, in vLLM's words with its context and what a name of the operator's stands for.

        `auto` has the longest context of all.
        """
        contexts = {model.name: model.context_tokens for model in self._routing.models.values()}
        longest = max(contexts.values(), default=0)
        card = {"id": name, "object": "model", "created": 0, "owned_by": "laar"}
        root = {"root": AUTO} if name in self._offer.names else {}
        return card | root | {"max_model_len": contexts.get(name, longest)}

    # -- parts --------------------------------------------------------------------------------------------

    def _tenant(self, http: Request, role: Role) -> Tenant:
        return self._keys.tenant_of(http.headers, role, self._wall())

    def _charge(self, quota: Quota, end: Ending) -> None:
        """Take from the tenant's allowances what its request has cost."""
        if end.served is not None:
            quota.charge(cost_of(end.served.log.attempts, self._prices), self._clock())

    async def _body(self, http: Request, tenant: Tenant, limit: int | None = None) -> bytes:
        limits = self._offer.limits
        with self._gate.reading(tenant):
            try:
                async with asyncio.timeout(limits.body_timeout_s):
                    return await read_body(http, limits.max_body_bytes if limit is None else limit)
            except TimeoutError:
                raise SlowBodyError(f"body: not here within {limits.body_timeout_s} s", param="body") from None


def _reply_in(answer: Attempt) -> Reply:
    assert answer.reply is not None
    return answer.reply


@asynccontextmanager
async def _running(work: Any) -> AsyncIterator["asyncio.Task[Attempt]"]:
    """A task that is gone when the block is left, cancelled if it still runs."""
    task: asyncio.Task[Attempt] = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
