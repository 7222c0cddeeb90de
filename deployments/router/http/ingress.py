"""The router deployment: what Ray Serve calls of it, and what lives as long as a replica."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import serve
from starlette.applications import Starlette

from deployments.budgets.settings import ThinkingSettings
from deployments.budgets.tasks import TaskRules
from deployments.contract.secret import Secrets
from deployments.engines.engine_configs import RemotePlan
from deployments.engines.remote import RemoteModel
from deployments.engines.serve_status import Address, node_metrics, num_running
from deployments.log.settings import LogPlan
from deployments.log.writing.replica_log import ReplicaLog
from deployments.router.attempt.backend import ServeBackend
from deployments.router.attempt.retries import RecentRequests, Retries, Seal
from deployments.router.attempt.runner import Runner
from deployments.router.choice.budgets import Thinking, thinking_of
from deployments.router.choice.routing import Routing
from deployments.router.http.admission import Offer
from deployments.router.http.endpoints import Endpoints
from deployments.router.http.http_io import Endings
from deployments.router.model import Model
from deployments.router.page.recent import RecentWindow
from deployments.router.page.views import Views
from deployments.router.settings import Limits, RouterSettings, TracingSettings
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.keys import ApiKeys, AuthPlan, read_key_file
from deployments.router.text.counted import sample_texts
from deployments.router.text.language import FastTextDetector
from deployments.router.upkeep.background import Background
from deployments.router.upkeep.learn_from_log import Follower, keep_following, replay
from deployments.router.upkeep.metrics import RouterMetrics
from deployments.router.upkeep.planning import keep_planning
from deployments.router.upkeep.replicas import (
    count_each,
    count_once,
    keep_counting,
    keep_counting_tokens,
    keep_reading_load,
)
from deployments.router.upkeep.request_logger import NoRequestLog, RequestLogger
from deployments.router.upkeep.taken_over import limits_in, profile_in, rest_on
from deployments.router.upkeep.watched_file import WatchedFile, content_of
from profiles.profile import Profile
from profiles.strict import version_of

if TYPE_CHECKING:
    from deployments.router.upkeep.tracing import Tracer


class Router:
    """One instance per router replica. Ray Serve constructs it, asks it for its app, and runs the app's life."""

    def __init__(
        self,
        *,
        llm_deployments: Mapping[str, Address],
        remote: list[RemotePlan],
        models: list[Model],
        profile: Profile,
        profile_file: str | None,
        settings: RouterSettings,
        limits: Limits,
        limits_file: str | None,
        thinking: ThinkingSettings,
        verifier: Address,
        custom_checks: frozenset[str],
        auth: AuthPlan,
        log: LogPlan | None,
    ) -> None:
        self._settings, self._limits, self._thinking_settings = settings, limits, thinking
        self._clock = time.monotonic
        self._deployments, self._verifier = llm_deployments, verifier
        self._remote = {plan.name: RemoteModel(plan) for plan in remote}
        self._auth, self._log_plan = auth, log
        self._secrets = secrets_of(auth)
        self._keys = ApiKeys(
            self._secrets,
            None if auth.keys_file is None else (),
            plain=auth.plain,
            plain_secret=auth.plain_secret,
        )
        self._models, self._profile_file, self._limits_file = models, profile_file, limits_file
        self._routing = Routing(
            models=models,
            profile=profile,
            policy=settings.policy,
            detector=FastTextDetector(),
            learning=settings.learning,
            thinking=self._thinking_of(profile),
            task_rules=TaskRules(thinking.task_rules, chars=thinking.rule_chars),
            worth_s=settings.worth_s,
            notice_s=settings.notice_s,
            num_routers=settings.num_replicas,
        )
        self._offer = Offer(
            policy=settings.policy,
            models=tuple(self._routing.models),
            media={model.name: model.media for model in self._routing.models.values()},
            thinkers=frozenset(model.name for model in models if model.can_think),
            custom_checks=custom_checks,
            limits=limits,
            secrets=self._secrets,
            default_verify=settings.verify,
            names={name: named.verify for name, named in settings.names.items()},
        )
        self._retries = Retries(
            models=self._offer.models,
            seal=Seal(self._secrets),
            within_s=settings.retry_within_s,
            recent=RecentRequests(
                self._secrets.keys("recent requests")[0], window_s=settings.regenerate_s, clock=self._clock
            ),
            clock=self._clock,
            wall=time.time,
        )
        self._versions = {"version": version("laar"), "profile": version_of(profile), "limits": version_of(limits)}
        self._background = Background()

    def __serve_build_asgi_app__(self) -> Starlette:
        return self.app(serve.get_replica_context().replica_id.unique_id)

    def app(self, replica: str) -> Starlette:
        """Called once, after the constructor; opens the log, whose failure stops the start."""
        recent = RecentWindow(tuple(self._routing.models))
        self._metrics = RouterMetrics(self._settings.goodput.reader, recent)
        self._metrics.rests_on(self._versions, self._routing.profile.models)
        self._log = (
            ReplicaLog(self._log_plan, replica=replica, metrics=self._metrics) if self._log_plan is not None else None
        )
        tracing = self._settings.tracing
        self._tracer = None if tracing is None else _tracer(tracing, replica)
        logger = self._logger(self._log, replica)
        gate = Gate(self._limits.doors, num_routers=self._settings.num_replicas, clock=self._clock)
        self._backend = ServeBackend(self._deployments, self._verifier, self._remote)
        self._endpoints = Endpoints(
            runner=Runner(
                routing=self._routing,
                backend=self._backend,
                observer=self._metrics,
                ledger=logger,
                retries=self._retries,
                settings=self._settings,
                limits=self._limits,
                clock=self._clock,
            ),
            routing=self._routing,
            offer=self._offer,
            keys=self._keys,
            gate=gate,
            endings=Endings(
                pace_s=self._settings.goodput.pace_s,
                log=logger,
                metrics=self._metrics,
                clock=self._clock,
            ),
            log=self._log,
            versions=self._versions,
            keep_alive_s=self._settings.keep_alive_s,
            tracer=self._tracer,
            clock=self._clock,
            wall=time.time,
        )
        views = Views(
            routing=self._routing,
            recent=recent,
            versions=self._versions,
            keys=self._keys,
            gate=gate,
            log=self._log,
            settings=self._settings,
            replica=replica,
            node_metrics=node_metrics,
            clock=self._clock,
            wall=time.time,
        )
        return self._endpoints.app(lambda _app: self._life(replica), views.routes(), self._settings.cors_origins)

    async def check_health(self) -> None:
        self._endpoints.check_health()
        self._background.check_health()
        if self._log is not None:
            self._log.check_health()

    @asynccontextmanager
    async def _life(self, replica: str) -> AsyncIterator[None]:
        """Ray runs it from before the first request until after the last one."""
        async with AsyncExitStack() as stack:
            if self._log is not None:
                stack.callback(self._log.close)
            if self._tracer is not None:
                stack.push_async_callback(asyncio.to_thread, self._tracer.close)
            for model in self._remote.values():
                stack.push_async_callback(model.close)
            background = await stack.enter_async_context(self._background)
            if (follower := self._follower(replica)) is not None:
                learning = self._settings.learning
                await asyncio.to_thread(replay, follower, timeout_s=learning.replay_timeout_s, clock=self._clock)
                background.start("follows the attempt log", keep_following(follower, period_s=learning.sync_period_s))
            for name, file in self._watched().items():
                # a router that starts beside a profile that is gone or refused has the one it was built with
                await (file.look() if name == "profile" else file.take())
                background.start(f"follows the file of {name}", file.keep_looking(period_s=self._auth.refresh_s))
            counts: list[tuple[str, Callable[[], Awaitable[Mapping[str, int]]]]] = []
            if self._deployments:
                counts.append(("models", lambda: num_running(self._deployments)))
            if self._remote:
                probes = {name: model.num_running for name, model in self._remote.items()}
                counts.append(("remote models", lambda: count_each(probes)))
            for kind, count in counts:
                # before the first request, which would else wait for models that do not run
                await count_once(count, self._see)
                counting = keep_counting(count, self._see, period_s=self._settings.status_period_s)
                background.start(f"follows the replica counts of {kind}", counting)
            reading = keep_reading_load(
                self._routing.load.engines,
                self._backend.in_flight,
                self._routing.load.report,
                runs=self._runs,
                period_s=self._settings.load_period_s,
            )
            background.start("follows the load of the engines", reading)
            counting_tokens = keep_counting_tokens(
                self._routing.models,
                lambda model: self._backend.count_tokens(model, sample_texts()),
                self._routing.take_rates,
                runs=self._runs,
                period_s=self._settings.status_period_s,
            )
            background.start("follows the tokenizers of the models", counting_tokens)
            if self._routing.thinking is not None:
                planning = keep_planning(
                    self._routing,
                    observer=self._metrics,
                    period_s=self._thinking_settings.period_s,
                    clock=self._clock,
                )
                background.start("plans thinking budgets", planning)
            yield

    def _runs(self, model: str) -> bool:
        return self._routing.load.running(model) > 0

    def _watched(self) -> dict[str, WatchedFile[Any]]:
        """The files that the operator names, by what is in them."""
        metrics = self._metrics
        kinds: list[tuple[str, str | None, Callable[[bytes], Any], Callable[[Any], Any]]] = [
            ("secrets", self._auth.secrets_file, bytes, self._secrets.load),
            ("keys", self._auth.keys_file, read_key_file, self._keys.replace),
            ("limits", self._limits_file, lambda content: limits_in(content, self._limits), self._take_limits),
            ("profile", self._profile_file, profile_in, self._take_profile),
        ]
        return {
            name: WatchedFile(Path(place), name=name, parse=parse, use=use, observer=metrics)
            for name, place, parse, use in kinds
            if place is not None
        }

    def _take_limits(self, limits: Limits) -> None:
        self._endpoints.take_limits(limits)
        self._now_rests_on(limits=version_of(limits))

    async def _take_profile(self, profile: Profile) -> None:
        if (digest := version_of(profile)) != self._versions["profile"]:
            await rest_on(self._routing, profile, lambda: self._thinking_of(profile))
            self._now_rests_on(profile=digest)

    def _now_rests_on(self, **versions: str) -> None:
        self._versions |= versions
        self._metrics.rests_on(self._versions, self._routing.profile.models)

    def _thinking_of(self, profile: Profile) -> Thinking | None:
        return thinking_of(
            self._models,
            profile,
            settings=self._thinking_settings,
            num_routers=self._settings.num_replicas,
            now_s=self._clock(),
        )

    def _logger(self, log: ReplicaLog | None, replica: str) -> RequestLogger | NoRequestLog:
        if log is None or self._log_plan is None:
            return NoRequestLog()
        return RequestLogger(
            record=log.record,
            replica=replica,
            policy=self._settings.policy,
            stores_prompts=self._log_plan.settings.store_prompts,
            secrets=self._secrets,
            clock=self._clock,
            wall=time.time,
        )

    def _follower(self, replica: str) -> Follower | None:
        """Learns what was learned before, and then what the other replicas learn; None without log or learning."""
        learning = self._settings.learning
        if self._log is None or not learning.enabled:
            return None
        return Follower(
            self._log.history(replay_days=learning.replay_days),
            self._routing,
            replica=replica,
            buckets=self._routing.buckets,
            half_life_verdicts=learning.half_life_verdicts,
            most=max(1, round(learning.max_followed_per_s * learning.sync_period_s)),
        )

    def _see(self, running: Mapping[str, int]) -> None:
        """Book how many of each model run, and tell who drifts."""
        for name, number in running.items():
            self._routing.load.set_replicas(name, number)
        self._metrics.breakers(self._routing.load.breaker_states(self._clock()))
        self._metrics.seen(running, self._routing.unavailable(self._clock()), len(asyncio.all_tasks()))
        self._metrics.drifting(running, self._routing.chances.drifting)
        self._metrics.latency_ratios(self._routing.builder.latency_ratios)


def _tracer(tracing: TracingSettings, replica: str) -> "Tracer":
    # a router that does not trace loads none of the SDK
    from deployments.router.upkeep.tracing import Tracer

    return Tracer(tracing, replica=replica)


def secrets_of(auth: AuthPlan) -> Secrets:
    """The operator's secrets; ValueError names the file that cannot be read or will not do.

    A file is read by the router, not where the application is built: only machines with routers need have it.
    """
    if auth.secrets_file is not None:
        try:
            auth.secrets.load(content_of(Path(auth.secrets_file)))
        except OSError as error:
            raise ValueError(f"auth.secrets_file '{auth.secrets_file}': {error.strerror}") from None
        except ValueError as error:
            raise ValueError(f"auth.secrets_file '{auth.secrets_file}' {error}") from None
    return auth.secrets
