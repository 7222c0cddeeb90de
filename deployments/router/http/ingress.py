"""The router deployment: the OpenAI endpoints over HTTP. What to do is decided in `runner` and `routing`."""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.budgets.settings import ThinkingSettings
from deployments.budgets.tasks import TaskRules
from deployments.contract.errors import (
    AuthenticationError,
    ClientError,
    LaarError,
    LogOffError,
    LogUnavailableError,
    OverloadedError,
    SlowBodyError,
    UnknownModelError,
)
from deployments.contract.reply import Chunk
from deployments.engines.remote import RemoteModel
from deployments.engines.settings import RemotePlan
from deployments.log.settings import LogPlan
from deployments.log.writing.replica_log import ReplicaLog
from deployments.router.attempt.backend import ServeBackend
from deployments.router.attempt.runner import Runner
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt
from deployments.router.choice.budgets import refuse_impossible_budget, thinking_of
from deployments.router.choice.model import Model
from deployments.router.choice.routing import Routing
from deployments.router.http import sse
from deployments.router.http.answers import answer_headers, explanation, laar_json, start_headers
from deployments.router.http.http_io import (
    CLIENT_LEFT,
    EXCEPTION_HANDLERS,
    JSON,
    Ending,
    GuardedStream,
    read_body,
    status_of,
    with_late_errors,
)
from deployments.router.http.request import AUTO, Endpoint, RoutedRequest, endpoint_of, parse_feedback, parse_request
from deployments.router.settings import Limits, RouterSettings
from deployments.router.text.language import FastTextDetector
from deployments.router.upkeep.learn_from_log import Follower, keep_following, replay
from deployments.router.upkeep.metrics import RouterMetrics
from deployments.router.upkeep.planning import keep_planning
from deployments.router.upkeep.request_logger import NoRequestLog, RequestLogger
from deployments.verifier.checks import Catalogue
from profiles.chances.online import Learner
from profiles.measures.goodput import Meter
from profiles.profile import Profile

logger = logging.getLogger("ray.serve")

STARTING_PERIOD_S = 1.0
Handler = Callable[[Request], Awaitable[Response]]


class Router:
    """Chat, completions, models, `/v1/laar/explain` and `/v1/laar/feedback`; one instance per router replica."""

    def __init__(
        self,
        *,
        llm_deployments: dict[str, DeploymentHandle],
        remote: list[RemotePlan],
        models: list[Model],
        profile: Profile,
        settings: RouterSettings,
        limits: Limits,
        thinking: ThinkingSettings,
        verifier: DeploymentHandle,
        custom_checks: frozenset[str],
        api_key_hashes: frozenset[str],
        log: LogPlan | None,
    ) -> None:
        self._settings, self._limits, self._clock = settings, limits, time.monotonic
        self._custom_checks, self._key_hashes = custom_checks, api_key_hashes
        budgets = thinking_of(
            models, profile, settings=thinking, num_routers=settings.num_replicas, now_s=self._clock()
        )
        self._routing = Routing(
            models=models,
            profile=profile,
            policy=settings.policy,
            detector=FastTextDetector(),
            learning=settings.learning,
            thinking=budgets,
            task_rules=TaskRules(thinking.task_rules, chars=thinking.rule_chars),
        )
        for model in models:
            # not known to run until the controller says so; until then it is asked only when nobody else can be
            self._routing.load.set_replicas(model.name, 0)
        self._remote = {plan.name: RemoteModel(plan) for plan in remote}
        self._metrics = RouterMetrics(settings.goodput.reader)
        self._log: ReplicaLog | None = None
        self._recorder: RequestLogger | NoRequestLog = NoRequestLog()
        self._learner: asyncio.Task[None] | None = None
        if log is not None:
            self._open_log(log, replica=serve.get_replica_context().replica_id.unique_id)
        self._runner = Runner(
            routing=self._routing,
            backend=ServeBackend(llm_deployments, verifier, self._remote),
            observer=self._metrics,
            ledger=self._recorder,
            settings=settings,
            limits=limits,
            clock=self._clock,
        )
        self._active = 0
        self._watchers = [
            asyncio.create_task(self._watch_replicas(llm_deployments)),
            asyncio.create_task(self._watch_remote()),
        ]
        self._planner: asyncio.Task[None] | None = None
        if budgets is not None:
            loop = keep_planning(
                self._routing.load, budgets, observer=self._metrics, period_s=thinking.period_s, clock=self._clock
            )
            self._planner = asyncio.create_task(loop)

    def __serve_build_asgi_app__(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._endpoint(Endpoint.CHAT), methods=["POST"]),
                Route("/v1/completions", self._endpoint(Endpoint.COMPLETIONS), methods=["POST"]),
                Route("/v1/models", self._list_models),
                Route("/v1/models/{model:path}", self._show_model),
                Route("/v1/laar/explain", self._explain, methods=["POST"]),
                Route("/v1/laar/feedback", self._feedback, methods=["POST"]),
            ],
            exception_handlers=EXCEPTION_HANDLERS,
        )

    async def check_health(self) -> None:
        """Decide on a canned request, so that a broken language model or profile shows."""
        request = self._parse(b'{"model":"auto","prompt":"Is everything well?"}', Endpoint.COMPLETIONS)
        served = self._runner.open(request, request_id="health", arrived_s=self._clock())
        if not self._routing.builder.candidates(served.demand, served.log, self._clock()):
            raise RuntimeError("the router has no model to choose from")
        if any(watcher.done() for watcher in self._watchers):
            raise RuntimeError("the router no longer follows the replica counts")
        if self._planner is not None and self._planner.done():
            raise RuntimeError("the router no longer plans thinking budgets")
        if self._learner is not None and self._learner.done():
            raise RuntimeError("the router no longer follows the attempt log")
        if self._log is not None:
            self._log.check_health()

    def __del__(self) -> None:
        """Called by Serve when the replica has answered its last request."""
        if (log := getattr(self, "_log", None)) is not None:
            self._log = None
            log.close()

    # -- endpoints ----------------------------------------------------------------------------------------

    def _endpoint(self, endpoint: Endpoint) -> Handler:
        async def handle(http: Request) -> Response:
            arrived_s = self._clock()
            async with AsyncExitStack() as guard:
                end = guard.enter_context(self._counted(arrived_s))
                api_key_hash, request = await self._read(http, endpoint)
                served = end.served = self._runner.open(
                    request,
                    request_id=f"laar-{uuid.uuid4().hex}",
                    arrived_s=arrived_s,
                    turn=self._routing.next_turn(),
                    api_key_hash=api_key_hash,
                )
                if not request.stream:
                    return await self._answer(served, end)
                send = self._hold if request.wants_verification else self._pass
                return await send(served, end, guard)

        return handle

    async def _answer(self, served: ServedRequest, end: Ending) -> Response:
        answer = await self._runner.answer(served)
        now_s = self._clock()
        body = sse.json_with_laar(_body_of(answer), laar_json(served, now_s))
        end.meter.add(now_s - served.arrived_s, _num_tokens(answer))
        end.meter.is_complete = True
        return Response(body, media_type=JSON, headers=answer_headers(served, answer, now_s))

    async def _hold(self, served: ServedRequest, end: Ending, guard: AsyncExitStack) -> Response:
        """A stream whose tokens wait for the verdict; what fails within the first wait still gets its status."""
        task = await guard.enter_async_context(_running(self._runner.answer(served)))
        await asyncio.wait((task,), timeout=self._settings.keep_alive_s)
        if task.done():
            await task
        return self._stream(self._held(served, task), served, end, guard, start_headers(served))

    async def _held(self, served: ServedRequest, task: "asyncio.Task[Attempt]") -> AsyncGenerator[Chunk, None]:
        """Comments while attempts run and are verified, then the chunks of the answer."""
        while not task.done():
            yield sse.KEEP_ALIVE
            await asyncio.wait((task,), timeout=self._settings.keep_alive_s)
        answer = await task
        laar = laar_json(served, self._clock())
        assert answer.reply is not None
        for chunk in answer.reply.chunks:
            yield sse.with_laar(chunk, laar)

    async def _pass(self, served: ServedRequest, end: Ending, guard: AsyncExitStack) -> Response:
        """Tokens straight through."""
        model, chunks = await self._runner.pass_through(served)
        guard.push_async_callback(chunks.aclose)
        return self._stream(chunks, served, end, guard, start_headers(served) | {"x-laar-model": model})

    def _stream(
        self,
        chunks: AsyncGenerator[Chunk, None],
        served: ServedRequest,
        end: Ending,
        guard: AsyncExitStack,
        headers: dict[str, str],
    ) -> Response:
        told = with_late_errors(chunks, end)
        return GuardedStream(
            told, end, guard.pop_all(), headers, since_arrival_s=lambda: self._clock() - served.arrived_s
        )

    async def _explain(self, http: Request) -> Response:
        """The decision for a request and its numbers, without running it."""
        self._authenticate(http)
        body = await self._body(http)
        request = self._parse(body, endpoint_of(body))
        now_s = self._clock()
        served = self._runner.open(request, request_id="explain", arrived_s=now_s)
        decision = self._runner.decide(served)
        candidates = self._routing.builder.candidates(served.demand, served.log, now_s)
        order = self._routing.rank(request, served.demand, candidates, turn=served.turn) or (
            [decision.chosen] if decision else []
        )
        believed = self._routing.chances.source
        estimates = [believed.estimate(c.model, served.features.cell(c.bucket)) for c in candidates]
        buckets, thinking = self._routing.buckets, self._routing.thinking
        return JSONResponse(explanation(served, decision, candidates, estimates, order, buckets, thinking))

    async def _feedback(self, http: Request) -> Response:
        """What a client found of an answer; a 200 means that the log has it."""
        api_key_hash = self._authenticate(http)
        feedback = parse_feedback(await self._body(http))
        if self._log is None:
            raise LogOffError("feedback: the operator has turned the attempt log off")
        await self._log.feedback(feedback.request_id, correct=feedback.correct, api_key_hash=api_key_hash)
        return JSONResponse({"object": "laar.feedback", **feedback.model_dump()})

    async def _list_models(self, http: Request) -> Response:
        self._authenticate(http)
        return JSONResponse({"object": "list", "data": [_card(name) for name in (AUTO, *self._routing.models)]})

    async def _show_model(self, http: Request) -> Response:
        self._authenticate(http)
        return JSONResponse(_card(self._known(http.path_params["model"])))

    # -- parts --------------------------------------------------------------------------------------------

    def _open_log(self, plan: LogPlan, replica: str) -> None:
        self._log = ReplicaLog(plan, replica=replica, metrics=self._metrics)
        self._recorder = RequestLogger(
            record=self._log.record,
            replica=replica,
            policy=self._settings.policy,
            stores_prompts=plan.settings.store_prompts,
            clock=self._clock,
            wall=time.time,
        )
        if (learner := self._routing.chances.learner) is not None:
            self._follow(self._log, learner, replica)

    def _follow(self, log: ReplicaLog, learner: Learner, replica: str) -> None:
        """Learn what was learned before, holding up the start for a while, and then what the others learn."""
        learning = self._settings.learning
        follower = Follower(
            log.history(replay_days=learning.replay_days),
            learner,
            replica=replica,
            buckets=self._routing.buckets,
            half_life_verdicts=learning.half_life_verdicts,
        )
        replay(follower, timeout_s=learning.replay_timeout_s, clock=self._clock)
        self._learner = asyncio.create_task(keep_following(follower, period_s=learning.sync_period_s))

    async def _read(self, http: Request, endpoint: Endpoint) -> tuple[str, RoutedRequest]:
        """The hash of the request's API key, and the request."""
        api_key_hash = self._authenticate(http)
        if self._log is not None:
            self._log.refuse_if_full()
        return api_key_hash, self._parse(await self._body(http), endpoint)

    async def _body(self, http: Request) -> bytes:
        limits = self._limits
        try:
            async with asyncio.timeout(limits.body_timeout_s):
                return await read_body(http, limits.max_body_bytes)
        except TimeoutError:
            raise SlowBodyError(f"body: not here within {limits.body_timeout_s} s", param="body") from None

    def _parse(self, body: bytes, endpoint: Endpoint) -> RoutedRequest:
        request = parse_request(body, endpoint=endpoint, max_body_bytes=self._limits.max_body_bytes)
        self._known(request.model)
        refuse_impossible_budget(request, self._routing.models, self._routing.thinking)
        if request.options.retry_of is not None and self._log is None:
            raise LogOffError("laar.retry_of: the operator has turned the attempt log off", param="laar.retry_of")
        self._refuse_impossible_check(request)
        return request

    def _refuse_impossible_check(self, request: RoutedRequest) -> None:
        models = self._routing.models
        answering = models if request.model == AUTO else (request.model,)
        has = Catalogue(models=models, answering=answering, custom_checks=self._custom_checks)
        if (refusal := request.options.verify.refusal(has)) is not None:
            field = f"laar.verify.{refusal.field}"
            raise ClientError(f"{field}: {refusal.message}", param=field)

    def _known(self, model: str) -> str:
        if model != AUTO and model not in self._routing.models:
            known = ", ".join(f"'{name}'" for name in (AUTO, *self._routing.models))
            raise UnknownModelError(f"model: unknown model '{model[:64]}'; known: {known}", param="model")
        return model

    def _authenticate(self, http: Request) -> str:
        """The hash of the API key, empty where none is asked for."""
        if not self._key_hashes:
            return ""
        scheme, _, key = http.headers.get("authorization", "").partition(" ")
        key_hash = _sha256(key.strip())
        if scheme.lower() != "bearer" or key_hash not in self._key_hashes:
            raise AuthenticationError("Authorization: a valid API key is needed, as 'Bearer <key>'")
        return key_hash

    @contextmanager
    def _counted(self, arrived_s: float) -> Iterator[Ending]:
        """Count a request as active until it ends, unless too many are, and report how it ended."""
        end = Ending(Meter(self._settings.goodput.pace_s))
        self._active += 1
        try:
            if self._active > (limit := self._limits.max_concurrent_requests):
                raise OverloadedError(f"{limit} requests are under way, and more are not taken", retry_after_s=1)
            yield end
        except LaarError as error:
            end.status = status_of(error)
            raise
        except (asyncio.CancelledError, GeneratorExit, ClientDisconnect):
            end.status = CLIENT_LEFT
            raise
        except BaseException:
            end.status = 500
            raise
        finally:
            self._active -= 1
            if end.served is not None:
                with suppress(LogUnavailableError):  # it has been counted
                    self._recorder.request_ended(end.served, end.status)
            self._metrics.request_ended(end.served, end.status, self._clock() - arrived_s, end.meter)

    async def _watch_replicas(self, handles: Mapping[str, DeploymentHandle]) -> None:
        """Follow how many replicas of each model run, as the Serve controller sees it.

        Reading it takes this process some 30 ms for each deployment of the cluster, so it is done seldom once every
        model runs.
        """
        all_run = not handles
        while True:
            try:
                running = await _replicas(handles)
                all_run = all(running.values())
                self._see_running(running)
            except (KeyError, RayError, RayServeException):
                logger.warning("replica counts could not be read", exc_info=True)
            await asyncio.sleep(self._watch_period_s(all_run))

    async def _watch_remote(self) -> None:
        """Follow how many servers of each remote model answer."""
        while True:
            up = await asyncio.gather(*(model.num_running() for model in self._remote.values()))
            self._see_running(dict(zip(self._remote, up, strict=True)))
            await asyncio.sleep(self._watch_period_s(all(up)))

    def _watch_period_s(self, all_run: bool) -> float:
        period_s = self._settings.status_period_s
        return period_s if all_run else min(period_s, STARTING_PERIOD_S)

    def _see_running(self, running: Mapping[str, int]) -> None:
        """Book how many of each model run, and tell who drifts."""
        for name, number in running.items():
            self._routing.load.set_replicas(name, number)
        self._metrics.drifting(running, self._routing.chances.drifting)


async def _replicas(handles: Mapping[str, DeploymentHandle]) -> dict[str, int]:
    """How many replicas of each deployment run, as the Serve controller sees it."""
    if not handles:
        return {}
    status = await asyncio.to_thread(serve.status)
    return {name: _num_running(status, handle) for name, handle in handles.items()}


def _num_running(status: Any, handle: DeploymentHandle) -> int:
    states = status.applications[handle.app_name].deployments[handle.deployment_name].replica_states
    return int(states.get("RUNNING", 0))


def _card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "laar"}


def _body_of(answer: Attempt) -> bytes:
    assert answer.reply is not None
    return answer.reply.body


def _num_tokens(answer: Attempt) -> int:
    return (answer.reply and answer.reply.output_tokens) or 0


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


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
