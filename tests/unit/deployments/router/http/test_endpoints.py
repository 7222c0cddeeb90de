"""The HTTP API through its door, with models that are told what to say: keys, roles, limits and errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from deployments.contract.forwarded import NOTHING
from deployments.contract.reply import Reply
from deployments.contract.secret import Secrets
from deployments.contract.verdict import AskedJudge, Reason, Verdict, correct
from deployments.router.http.admission import Offer
from deployments.router.http.endpoints import Endpoints
from deployments.router.http.http_io import Endings
from deployments.router.settings import Limits
from deployments.router.tenants.gate import Gate
from deployments.router.tenants.keys import ApiKeys, key_digest, read_key_file
from deployments.router.tenants.tenant import Role
from deployments.router.upkeep.request_logger import NoRequestLog
from tests.unit.deployments.router.attempt.test_runner import Bench, breaks, hangs, says

SECRET = Secrets(b"of the operator")
LIMITS = Limits(max_concurrent_requests=2, max_queued_per_key=1, queue_timeout_s=0.2, max_body_bytes=10_000)
CHAT = "/v1/chat/completions"


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "hash": key_digest(SECRET, f"key-{name}"), **more}


FILE = {
    "keys": [
        entry("a"),
        entry("b", models=["b"]),
        entry("admin", roles=["ask", "feedback", "admin"]),
        entry("tells", roles=["feedback"]),
        entry("slow", limits={"requests_per_minute": 1}),
        entry("poor", limits={"tokens_per_minute": 1000}),
    ]
}


class NoMetrics:
    def under_way(self, number: int) -> None: ...

    def request_ended(self, *_: object) -> None:
        """Counts nothing."""


class Service:
    def __init__(self, **behaviours: Any) -> None:
        self.bench, self.keys = Bench(limits=LIMITS, **behaviours), ApiKeys(SECRET, entries=())
        self.keys.replace(read_key_file(json.dumps(FILE).encode()))
        clock, routing = asyncio.get_running_loop().time, self.bench.routing
        self.endpoints = Endpoints(
            runner=self.bench.runner,
            routing=routing,
            offer=Offer(
                models=tuple(routing.models),
                thinkers=frozenset(),
                custom_checks=frozenset(),
                limits=LIMITS,
                secrets=SECRET,
            ),
            keys=self.keys,
            gate=Gate(LIMITS.doors, num_routers=1, clock=clock),
            endings=Endings(pace_s=0.2, log=NoRequestLog(), metrics=NoMetrics(), clock=clock),
            log=None,
            versions={"version": "1", "profile": "p1", "limits": "l1"},
            keep_alive_s=1.0,
            clock=clock,
            wall=lambda: 0.0,
        )
        self.app = self.endpoints.app(_no_life)

    async def ask(
        self,
        key: str | None = "key-a",
        *,
        path: str = CHAT,
        method: str = "POST",
        headers: Mapping[str, str] = NOTHING,
        **body: Any,
    ) -> Any:
        headers = {**headers} if key is None else {"authorization": f"Bearer {key}", **headers}
        fields = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], **body}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://laar") as client:
            return await client.request(method, path, headers=headers, json=fields if method == "POST" else None)


@asynccontextmanager
async def _no_life(_app: Starlette) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("key", "method", "path", "body", "status", "code"),
    [
        pytest.param("key-a", "POST", CHAT, {}, 200, None, id="answer"),
        pytest.param(None, "POST", CHAT, {}, 401, "invalid_api_key", id="no-key"),
        pytest.param("key-x", "POST", CHAT, {}, 401, "invalid_api_key", id="wrong-key"),
        pytest.param("key-x", "GET", "/v1/models", {}, 401, "invalid_api_key", id="models-too"),
        pytest.param("key-tells", "POST", CHAT, {}, 403, "permission_denied", id="no-role"),
        pytest.param("key-a", "POST", "/v1/laar/explain", {}, 403, "permission_denied", id="explain-is-for-admins"),
        pytest.param("key-admin", "POST", "/v1/laar/explain", {}, 200, None, id="admin-explains"),
        pytest.param("key-b", "POST", CHAT, {"model": "a"}, 404, "model_not_found", id="model-of-others"),
        pytest.param("key-b", "POST", CHAT, {"model": "b"}, 200, None, id="own-model"),
        pytest.param("key-b", "GET", "/v1/models/a", {}, 404, "model_not_found", id="card-of-others"),
        pytest.param("key-a", "POST", CHAT + "/", {}, 404, "not_found", id="trailing-slash"),
        pytest.param("key-a", "GET", CHAT, {}, 405, "method_not_allowed", id="wrong-method"),
        pytest.param("key-a", "POST", CHAT, {"user": "x" * 10_000}, 413, "body_too_large", id="large"),
        pytest.param("key-a", "POST", "/v1/laar/feedback", {"x": "y" * 1000}, 413, "body_too_large", id="feedback"),
        pytest.param("key-a", "POST", "/v1/embeddings", {}, 404, "not_found", id="embeddings"),
        pytest.param("key-a", "POST", "/v1/score", {}, 404, "not_found", id="score"),
        pytest.param("key-a", "POST", "/tokenize", {}, 404, "not_found", id="tokenize"),
        pytest.param("key-a", "POST", CHAT, {"n": 65}, 400, "invalid_value", id="many-answers"),
    ],
)
async def test_every_refusal_has_its_status_and_openais_shape(
    key: str | None, method: str, path: str, body: dict[str, Any], status: int, code: str | None
) -> None:
    response = await Service(a=says("fine"), b=says("fine")).ask(key, path=path, method=method, **body)
    assert response.status_code == status
    if code is not None:
        assert response.json()["error"]["code"] == code
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert ("www-authenticate" in response.headers) == (status == 401)


@pytest.mark.parametrize(
    ("path", "asked", "answered"),
    [
        pytest.param("/v1/responses", {"input": "Hi"}, lambda told: told["output"][0]["content"][0], id="responses"),
        pytest.param("/v1/messages", {"max_tokens": 9}, lambda told: told["content"][0], id="messages"),
    ],
)
@pytest.mark.parametrize("verify", [{}, {"verify": {"type": "contains", "value": "fine"}}], ids=["plain", "verified"])
async def test_other_dialects_are_routed_and_verified_as_chat_is(
    path: str, asked: dict[str, Any], answered: Callable[[Any], Any], verify: dict[str, Any]
) -> None:
    body = {"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}
    service = Service(a=lambda: Reply(200, json.dumps(body).encode(), text="fine"))
    messages = {} if path == "/v1/responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    headers = {"x-api-key": "key-a"} if path == "/v1/messages" else {"authorization": "Bearer key-a"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://laar") as client:
        fields = {"model": "auto", "temperature": 0, "laar": verify, **messages, **asked}
        answer = await client.post(path, headers=headers, json=fields)
        unknown = await client.post(path, headers=headers, json=fields | {"prompt_embeds": 1})
        refused = await client.post(path, json=fields)
    assert answer.status_code == 200, answer.text
    assert answered(answer.json())["text"] == "fine"
    assert answer.json()["laar"]["verified"] is (True if verify else None)
    assert (unknown.status_code, "prompt_embeds" in unknown.json()["error"]["message"]) == (400, True)
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    assert (refused.json().get("type") == "error") == (path == "/v1/messages")


async def test_an_endpoint_that_is_not_served_is_named_with_those_that_are() -> None:
    told = (await Service(a=says("fine")).ask(path="/v1/embeddings")).json()["error"]["message"]
    assert told.startswith("/v1/embeddings: laar has no such endpoint; it serves /v1/chat/completions")


async def test_auto_chooses_among_the_tenants_models() -> None:
    service = Service(a=says("fine"), b=says("fine"))
    assert [(await service.ask(f"key-{who}")).headers["x-laar-model"] for who in "ab"] == ["a", "b"]
    listed = (await service.ask("key-b", path="/v1/models", method="GET")).json()["data"]
    assert [card["id"] for card in listed] == ["auto", "b"]


async def test_key_is_rotated_under_load_without_a_failed_request() -> None:
    service, first = Service(a=says("fine")), FILE["keys"]
    statuses = []
    for step in range(30):
        if step == 10:
            second = entry("a") | {"hash": key_digest(SECRET, "key-2")}
            service.keys.replace(read_key_file(json.dumps({"keys": [*first, second]}).encode()))
        if step == 20:
            service.keys.replace(read_key_file(json.dumps({"keys": [*first[1:], second]}).encode()))
        statuses.append((await service.ask("key-a" if step < 15 else "key-2")).status_code)
    assert set(statuses) == {200}
    assert (await service.ask("key-a")).status_code == 401


async def test_requests_are_held_to_limits_that_come_while_the_router_runs() -> None:
    service = Service(a=hangs, b=says("fine"))
    first = asyncio.create_task(service.ask("key-a", model="a"))
    await asyncio.sleep(0.05)
    for limits, field in (
        (LIMITS.model_copy(update={"max_body_bytes": 10}), "body_too_large"),
        (LIMITS.model_copy(update={"max_concurrent_requests": 1, "queue_timeout_s": 0.01}), "overloaded"),
        (LIMITS.model_copy(update={"max_tokens": 5}), None),
    ):
        service.endpoints.take_limits(limits)
        # beyond its share, as it has a request under way; a router of one place has no other share
        answer = await service.ask("key-a", model="b", max_tokens=4)
        assert (answer.status_code == 200) == (field is None)
        assert field is None or answer.json()["error"]["code"] == field
    assert (await service.ask("key-b", max_tokens=6)).status_code == 400
    assert not first.done()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_queue_is_let_in_when_the_gate_widens() -> None:
    service = Service(a=hangs, b=says("fine"))
    service.endpoints.take_limits(LIMITS.model_copy(update={"max_concurrent_requests": 1, "queue_timeout_s": 30}))
    first = asyncio.create_task(service.ask("key-a", model="a"))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(service.ask("key-b"))
    await asyncio.sleep(0.05)
    service.endpoints.take_limits(LIMITS)
    assert (await asyncio.wait_for(second, timeout=10)).status_code == 200
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_an_explanation_says_which_profile_and_limits_it_rests_on() -> None:
    told = (await Service(a=says("fine")).ask("key-admin", path="/v1/laar/explain")).json()
    assert told["versions"] == {"version": "1", "profile": "p1", "limits": "l1"}


TARGET = {"probability": 0.4, "by_s": 5.0}


async def test_target_comes_back_with_what_was_promised_and_whether_it_was_met() -> None:
    service = Service(a=says("fine"), b=says("no"))
    verify = {"type": "exact", "value": "fine"}
    met = await service.ask(laar={"target": TARGET, "verify": verify})
    promised = met.json()["laar"]["target"]["promised"]
    assert met.json()["laar"]["target"] == {**TARGET, "promised": promised, "met": True}
    assert float(met.headers["x-laar-promised"]) == promised > 0.4
    missed = await service.ask(laar={"target": TARGET, "verify": verify | {"value": "never"}})
    assert missed.json()["laar"]["target"]["met"] is False
    unchecked = await service.ask(laar={"target": TARGET})
    assert unchecked.json()["laar"]["target"]["met"] is None
    without = await service.ask()
    assert "target" not in without.json()["laar"]
    assert "x-laar-promised" not in without.headers


@pytest.mark.parametrize(
    ("probability", "is_reached"), [pytest.param(0.4, True, id="reached"), pytest.param(1.0, False, id="not")]
)
async def test_explanation_has_what_can_be_promised(probability: float, is_reached: bool) -> None:
    target = TARGET | {"probability": probability}
    service = Service(a=says("fine"), b=says("fine"))
    told = (await service.ask("key-admin", path="/v1/laar/explain", laar={"target": target})).json()["target"]
    assert told.keys() == {"probability", "by_s", "is_reached", "chosen", "cheapest", "surest"}
    assert (told["probability"], told["is_reached"]) == (probability, is_reached)
    assert told["surest"]["probability"] >= told["chosen"]["probability"]
    assert (await service.ask("key-admin", path="/v1/laar/explain")).json()["target"] is None


async def test_tenant_beyond_its_rate_is_told_when_to_come_again() -> None:
    service = Service(a=says("fine"))
    assert (await service.ask("key-slow")).status_code == 200
    refused = await service.ask("key-slow")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) == 60
    assert (await service.ask("key-a")).status_code == 200


async def test_tokens_of_judges_are_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(a=says("fine"))
    judges: tuple[AskedJudge, ...] = (AskedJudge("b", 5000, 1),)

    async def judged(*_: Any) -> Verdict:
        return replace(correct(Reason.JUDGED_CORRECT), judges=judges)

    monkeypatch.setattr(service.bench.backend, "verify", judged)
    laar = {"verify": {"type": "exact", "value": "fine"}}
    assert [(await service.ask("key-poor", laar=laar)).status_code for _ in range(2)] == [200, 429]
    judges = ()
    assert [(await service.ask("key-a", laar=laar)).status_code for _ in range(2)] == [200, 200]


async def test_full_router_refuses_the_greedy_key_and_serves_the_other_when_a_place_gets_free() -> None:
    service = Service(a=hangs, b=says("fine"))
    greedy = [asyncio.create_task(service.ask("key-a", model="a")) for _ in range(3)]
    await asyncio.sleep(0.05)
    refused = await service.ask("key-a", model="a")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    other = asyncio.create_task(service.ask("key-b"))
    await asyncio.sleep(0.05)
    greedy[0].cancel()
    assert (await other).status_code == 200
    for task in greedy:
        task.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)


async def test_failures_of_one_key_are_not_anothers() -> None:
    service = Service(a=breaks, b=says("fine"))
    for number in range(3):
        await service.ask("key-a", model="a", user=str(number))
    load, now_s = service.bench.routing.load, asyncio.get_running_loop().time()
    holders = [{"authorization": f"Bearer key-{who}"} for who in ("a", "admin")]
    ids = [service.keys.tenant_of(holder, Role.ASK, 0.0).id for holder in holders]
    assert [load.unhealthy(now_s, tenant) for tenant in ids] == [{0}, set()]
    told = (await service.ask("key-admin", path="/v1/laar/explain")).json()["candidates"]
    assert (told[0]["model"], told[0]["breaker"], told[0]["exclusion"]) == ("a", "closed", None)


async def test_verifier_that_is_gone_leaves_an_answer_unverified() -> None:
    service = Service(a=says("right"))
    service.bench.backend.verifier_breaks = 99
    answer = await service.ask(laar={"verify": {"type": "contains", "value": "right"}})
    assert (answer.status_code, answer.headers["x-laar-verified"]) == (200, "false")
