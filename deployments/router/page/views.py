"""The page at `/laar`, and the JSON under `/v1/laar/` that it shows."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from deployments.contract.errors import ClientError, LogOffError, OverloadedError
from deployments.log.reading.attempts import Filter
from deployments.log.writing.replica_log import ReplicaLog
from deployments.router.attempt.tries import Status
from deployments.router.choice.routing import Routing
from deployments.router.http.request import MAX_SHOWN_CHARS
from deployments.router.model import FREE
from deployments.router.page.assets import HEADERS, INDEX, page_files
from deployments.router.page.chance_map import ChanceMap
from deployments.router.page.exposition import merged
from deployments.router.page.recent import RecentWindow
from deployments.router.settings import RouterSettings
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.keys import ApiKeys
from deployments.router.tenants.tenant import Role, Tenant
from profiles.profile import Profile
from profiles.strict import Strict

MAX_READERS = 4
RETRY_AFTER_S = 1
Query = TypeVar("Query", bound=BaseModel)
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class AttemptsQuery(Strict):
    """What `GET /v1/laar/attempts` can be asked for."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    model: Name | None = None
    language: Name | None = None
    task: Name | None = None
    verdict: Status | None = None


class MapQuery(Strict):
    """What `GET /v1/laar/capability` can be asked for."""

    task: Name | None = None


class Views:
    """Status, capability and recent attempts. Figures are those of this replica, attempts those in the log."""

    def __init__(
        self,
        *,
        routing: Routing,
        recent: RecentWindow,
        versions: Mapping[str, str],
        keys: ApiKeys,
        gate: Gate,
        log: ReplicaLog | None,
        settings: RouterSettings,
        replica: str,
        node_metrics: Callable[[], Awaitable[Sequence[str | None]]],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._routing, self._recent, self._versions, self._keys, self._log = routing, recent, versions, keys, log
        self._settings, self._replica, self._clock, self._wall = settings, replica, clock, wall
        self._gate = gate
        self._started_s = clock()
        self._mapped: tuple[Profile, ChanceMap] | None = None
        self._node_metrics = node_metrics
        self._scraping: asyncio.Task[str] | None = None
        # threads that read the log, each with its tenant; without keys all are one tenant, whose id is empty
        self._readers: dict[asyncio.Task[list[dict[str, Any]]], str] = {}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/laar", self._to_page),
            Route("/laar/", self._page),
            Route("/laar/{name}", self._page),
            Route("/v1/laar/status", self._status),
            Route("/v1/laar/capability", self._capability),
            Route("/v1/laar/attempts", self._attempts),
            Route("/metrics", self._metrics),
        ]

    async def _to_page(self, _http: Request) -> Response:
        return RedirectResponse("/laar/")

    async def _page(self, http: Request) -> Response:
        """A file of the page. It holds no data, so it needs no key: the page asks for one where it must."""
        found = page_files().get(http.path_params.get("name", INDEX))
        if found is None:
            raise HTTPException(404, "Not Found")
        return Response(found.body, headers=HEADERS, media_type=found.media_type)

    async def _status(self, http: Request) -> Response:
        self._keys.tenant_of(http.headers, Role.ADMIN, self._wall())
        return JSONResponse(self.status())

    def status(self) -> dict[str, Any]:
        """The models and the traffic as this replica sees them."""
        now_s = self._clock()
        learner = self._routing.chances.learner
        alarms = learner.drift.alarms if learner is not None else []
        return {
            "object": "laar.status",
            "replica": self._replica,
            "up_s": round(now_s - self._started_s, 1),
            "versions": dict(self._versions),
            "policy": self._settings.policy,
            "worth_s": self._settings.worth_s,
            "learns": learner is not None,
            "has_log": self._log is not None,
            "requests": self._recent.requests(),
            "models": [self._model(row, name, now_s) for row, name in enumerate(self._routing.models)],
            "alarms": [
                {"model": a.model, "task": a.task, "direction": a.direction.value, "cause": a.cause.value}
                for a in alarms
            ],
        }

    async def _metrics(self, http: Request) -> Response:
        """Laar's metrics of all nodes; who asks while they are being read gets the same."""
        self._keys.tenant_of(http.headers, Role.ADMIN, self._wall())
        if self._scraping is None or self._scraping.done():
            self._scraping = asyncio.create_task(self._scrape())
        text = await asyncio.shield(self._scraping)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _scrape(self) -> str:
        return merged(await self._node_metrics())

    async def _capability(self, http: Request) -> Response:
        self._keys.tenant_of(http.headers, Role.ADMIN, self._wall())
        chance_map = self._chance_map(self._routing.profile)
        task = _read(MapQuery, http.query_params).task or chance_map.most_measured
        if task not in chance_map.tasks:
            known = ", ".join(f"'{known}'" for known in chance_map.tasks)
            raise ClientError(f"task: the profile has no task '{task[:MAX_SHOWN_CHARS]}'; known: {known}", param="task")
        return JSONResponse(chance_map.of(task, self._routing.chances.source))

    def _chance_map(self, profile: Profile) -> ChanceMap:
        """That of the profile, counted when it is first asked for."""
        if self._mapped is None or self._mapped[0] is not profile:
            self._mapped = profile, ChanceMap(profile, tuple(self._routing.models), profile.buckets)
        return self._mapped[1]

    async def _attempts(self, http: Request) -> Response:
        """The latest attempts on requests that came of the same tenant, newest first."""
        tenant = self._keys.tenant_of(http.headers, Role.ASK, self._wall())
        query = _read(AttemptsQuery, http.query_params)
        if self._log is None:
            raise LogOffError("attempts: the operator has turned the attempt log off")
        wanted = Filter(**query.model_dump(exclude={"limit"}, mode="json"), api_key_hash=tenant.id)
        async with self._gate.entered(tenant):
            rows = await self._read_log(self._log, tenant, wanted, query.limit)
        data = [row | {"arrived_at": row["arrived_at"].isoformat()} for row in reversed(rows)]
        return JSONResponse({"object": "list", "data": data})

    async def _read_log(self, log: ReplicaLog, tenant: Tenant, wanted: Filter, limit: int) -> list[dict[str, Any]]:
        """Rows of the log. One thread at a time for each tenant, which counts until it ends, whoever still waits."""
        readers = self._readers.values()
        if len(readers) >= MAX_READERS or (tenant.id and tenant.id in readers):
            raise OverloadedError("too many read the attempt log at once", retry_after_s=RETRY_AFTER_S)
        reading = asyncio.create_task(asyncio.to_thread(log.attempts, wanted, limit))
        self._readers[reading] = tenant.id
        reading.add_done_callback(self._readers.pop)
        return await asyncio.shield(reading)

    def _model(self, row: int, name: str, now_s: float) -> dict[str, Any]:
        tracker, model, thinking = self._routing.load, self._routing.models[name], self._routing.thinking
        return {
            "model": name,
            "context_tokens": model.context_tokens,
            # null where it costs nothing, and where no budgets are planned
            "price": None if model.price == FREE else model.price.model_dump(),
            "budgets": thinking.planned(name) if thinking is not None else None,
            "replicas": tracker.running(name),
            "is_healthy": row not in tracker.unhealthy(now_s),
            "is_profiled": name in self._routing.profile.models,
            "is_drifting": name in self._routing.chances.drifting,
            "in_flight": int(tracker.load.in_flight[row]),
            "waiting_prompt_tokens": int(tracker.load.prompt_tokens[row]),
            **self._recent.attempts(name),
        }


def _read(kind: type[Query], params: Mapping[str, str]) -> Query:
    """The query of a request; what it cannot be is a 400 that names the parameter."""
    try:
        return kind.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part)[:MAX_SHOWN_CHARS] for part in first["loc"])
        known = ", ".join(kind.model_fields)
        told = f"unknown parameter; known: {known}" if first["type"] == "extra_forbidden" else first["msg"]
        raise ClientError(f"{name}: {told}", param=name) from None
