"""The document is held against the routes that exist, and against what they answer."""

import json
from typing import Any
from unittest.mock import MagicMock

import httpx
import jsonschema_rs
import pytest
from starlette.routing import Route

from deployments.router.openapi.answers import LAAR
from deployments.router.openapi.document import OPERATIONS, document
from deployments.router.page.views import Views
from tests.documented import fault_of, schema_validator
from tests.unit.deployments.router.attempt.test_runner import says
from tests.unit.deployments.router.http.test_endpoints import CHAT, Service

DOCUMENT = document()
Schema = dict[str, Any]


async def test_routes_that_exist_are_those_that_are_documented() -> None:
    others = "routing recent versions keys gate log settings replica node_metrics clock wall".split()
    routes = [*Service(a=says("fine")).app.routes, *Views(**{name: MagicMock() for name in others}).routes()]
    assert all(isinstance(route, Route) for route in routes)
    found = {
        (method.lower(), route.path.replace(":path", ""))
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert found == OPERATIONS.keys()


def test_every_schema_is_one_and_all_that_it_refers_to_is_there() -> None:
    for name in DOCUMENT["components"]["schemas"]:
        schema_validator({"$ref": f"#/components/schemas/{name}"})


def test_ids_are_unique_and_each_operation_says_whether_it_needs_a_key() -> None:
    told = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in told}) == len(told) == len(OPERATIONS)
    open_ones = {path for path, methods in DOCUMENT["paths"].items() for told in methods.values() if "security" in told}
    assert open_ones == {"/laar", "/laar/", "/laar/{name}", "/openapi.json", "/health", "/ready"}
    assert DOCUMENT["paths"][CHAT]["post"]["responses"].keys() >= {"200", "400", "401", "403", "413", "429", "503"}


TARGET = {"target": {"probability": 0.9, "by_s": 5}}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", CHAT, {}, 200, id="answer"),
        pytest.param("POST", CHAT, {"laar": {"verify": {"type": "exact", "value": "fine"}}}, 200, id="verified"),
        pytest.param("POST", CHAT, {"n": 0}, 400, id="refused"),
        pytest.param("POST", "/v1/laar/explain", {}, 200, id="explain"),
        pytest.param("POST", CHAT, {"laar": TARGET}, 200, id="target"),
        pytest.param("POST", "/v1/laar/explain", {"laar": TARGET}, 200, id="explained-target"),
        pytest.param("POST", "/v1/laar/feedback", {}, 400, id="feedback"),
        pytest.param("GET", "/v1/models", {}, 200, id="models"),
        pytest.param("GET", "/v1/models/a", {}, 200, id="card"),
        pytest.param("GET", "/v1/models/x", {}, 404, id="no-card"),
        pytest.param("GET", "/health", {}, 200, id="health"),
        pytest.param("GET", "/ready", {}, 200, id="ready"),
    ],
)
async def test_what_is_answered_is_what_is_documented(method: str, path: str, body: Schema, status: int) -> None:
    response = await Service(a=says("fine")).ask("key-admin", path=path, method=method, **body)
    assert response.status_code == status, response.text
    if "choices" not in response.text and "laar" in response.json():
        # the models of these tests say no more than a text
        jsonschema_rs.validate(LAAR, response.json()["laar"])
    else:
        documented = "/v1/models/{model}" if "/models/" in path else path
        assert fault_of(method, documented, response) is None


async def test_document_is_served_without_a_key_and_names_where_the_routes_stand() -> None:
    app = Service(a=says("fine")).app
    for root in ("", "/front"):
        transport = httpx.ASGITransport(app, root_path=root)
        async with httpx.AsyncClient(transport=transport, base_url="http://laar") as client:
            response = await client.get(f"{root}/openapi.json")
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        assert json.loads(response.content) == document(root)
        assert response.json()["servers"] == [{"url": root or "/"}]
