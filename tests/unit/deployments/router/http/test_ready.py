"""What a load balancer and an operator ask of a router, through its own app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest

from deployments.router.choice.routing import Routing
from deployments.router.http.endpoints import Endpoints
from deployments.router.model import Model
from profiles.profile import NO_PROFILE


@asynccontextmanager
async def life(_app: Any) -> AsyncIterator[None]:
    yield


def routing(**running: int) -> Routing:
    models = [Model(name=name, context_tokens=4096) for name in running]
    found = Routing(models=models, profile=NO_PROFILE, policy="laar", detector=MagicMock())
    for name, number in running.items():
        found.load.set_replicas(name, number)
    return found


async def ready(of: Routing) -> httpx.Response:
    others = {name: MagicMock() for name in ("runner", "offer", "keys", "gate", "endings", "log")}
    endpoints = Endpoints(**others, routing=of, versions={}, keep_alive_s=1.0, clock=lambda: 0.0, wall=lambda: 0.0)
    transport = httpx.ASGITransport(endpoints.app(life))
    async with httpx.AsyncClient(transport=transport, base_url="http://router") as client:
        return await client.get("/ready")


@pytest.mark.parametrize(
    ("running", "status"),
    [
        pytest.param({"small": 1, "large": 1}, 200, id="all-run"),
        pytest.param({"small": 0, "large": 1}, 200, id="one-runs"),
        pytest.param({"small": 0, "large": 0}, 503, id="none-runs"),
    ],
)
async def test_a_router_is_ready_while_some_model_can_be_asked(running: dict[str, int], status: int) -> None:
    answer = await ready(routing(**running))
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["num_unavailable"] == list(running.values()).count(0)


async def test_models_that_rest_after_failures_can_not_be_asked() -> None:
    found = routing(small=1)
    for tenant in ("one", "two", "three"):
        found.load.failed("small", now_s=0.0, tenant=tenant)
    answer = await ready(found)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "models_unavailable")
