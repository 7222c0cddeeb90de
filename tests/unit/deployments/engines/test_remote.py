import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any
from unittest.mock import MagicMock

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from deployments.contract.forwarded import FORWARDED
from deployments.contract.reply import Chunk, Reply
from deployments.engines import remote
from deployments.engines.engine_configs import RemotePlan, RemoteSettings
from deployments.engines.openai_answers import EngineError
from deployments.engines.remote import RemoteModel
from deployments.router.attempt.backend import ServeBackend
from deployments.router.attempt.runner import BackendError

BODY = b'{"model":"auto","messages":[{"role":"user","content":"Who?"}],"laar":{"task":"t"},"stream_options":{"a":1}}'
ANSWER = {
    "id": "x",
    "model": "org/big",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "I."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
}
CHUNK = b'data: {"choices":[{"delta":{"content":"I."}}]}\n\n'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A real HTTP server whose chat and completions answer as told; keeps what it was sent."""

    def __init__(self, chat: Handler) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.peers: set[Any] = set()
        self.models_status, self.probes = 200, 0
        self.metrics: str | None = None
        self.metrics_reads = 0
        self.count: Any = None
        self._chat = chat
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._post)
        app.router.add_post("/v1/completions", self._post)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/tokenize", self._tokenize)
        self.http = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.http.make_url("/v1"))

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(request.headers)
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        return await self._chat(request)

    async def _models(self, _: web.Request) -> web.Response:
        self.probes += 1
        return web.Response(status=self.models_status, headers={"location": "/v1/models"})

    async def _tokenize(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.json_response({"count": self.count}, status=404 if self.count is None else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        self.metrics_reads += 1
        return web.Response(text=self.metrics, status=404 if self.metrics is None else 200)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as found:
        yield found


async def serve(stack: AsyncExitStack, handler: Handler) -> Server:
    server = Server(handler)
    await stack.enter_async_context(server.http)
    return server


def asks(stack: AsyncExitStack, *urls: str, api_key: str = "", **fields: Any) -> RemoteModel:
    settings = RemoteSettings.model_validate({"model_id": "big", "urls": urls, "max_model_len": 100} | fields)
    model = RemoteModel(RemotePlan(name="big", settings=settings, api_key=api_key))
    stack.push_async_callback(model.close)
    return model


def says(content: Any, status: int = 200, **fields: Any) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        if isinstance(content, bytes):
            return web.Response(body=content, status=status, **fields)
        return web.json_response(content, status=status, **fields)

    return answer


def streams(*pieces: bytes, cut: bool = False) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0.005)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    return answer


def events(found: Chunk | Reply) -> bytes:
    assert isinstance(found, Chunk)
    return found.events


async def read(model: RemoteModel) -> list[bytes | Reply]:
    async with aclosing(model.generate_stream("chat", BODY, {})) as chunks:
        return [found.events if isinstance(found, Chunk) else found async for found in chunks]


async def test_request_goes_on_under_the_servers_name_without_what_is_laars(stack: AsyncExitStack) -> None:
    server = await serve(stack, says(ANSWER | {"laar": {"verified": True}}))
    model = asks(stack, server.url, served_model="org/big", api_key="secret")
    reply = await model.generate("chat", BODY, {"thinking_token_budget": 5})
    sent = {"model": "org/big", "messages": [{"role": "user", "content": "Who?"}], "stream": False}
    assert server.bodies == [sent | {"thinking_token_budget": 5}]
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert (reply.status, reply.text, reply.prompt_tokens, reply.output_tokens) == (200, "I.", 7, 2)
    shown = {name: value for name, value in ANSWER.items() if name != "id"}
    assert json.loads(reply.body) == shown | {"model": "big"}


async def test_request_goes_on_with_its_id_and_its_trace(stack: AsyncExitStack) -> None:
    server = await serve(stack, says(ANSWER))
    FORWARDED.set({"x-request-id": "laar-1-0", "traceparent": "00-a-b-01"})
    await asks(stack, server.url).generate("chat", BODY, {})
    assert [server.headers[0][name] for name in ("x-request-id", "traceparent")] == ["laar-1-0", "00-a-b-01"]


async def test_completion_has_its_text(stack: AsyncExitStack) -> None:
    server = await serve(stack, says({"choices": [{"text": " and on"}]}))
    reply = await asks(stack, server.url).generate("completions", b'{"prompt":"Go"}', {})
    assert (reply.text, reply.prompt_tokens, reply.output_tokens) == (" and on", 0, None)
    assert server.bodies == [{"prompt": "Go", "model": "big", "stream": False}]
    assert "authorization" not in server.headers[0]


async def test_refusal_is_handed_on_and_what_the_operator_must_mend_is_not(stack: AsyncExitStack) -> None:
    error = {"error": {"message": "key sk-123", "type": "x", "param": None, "code": 7}}
    for status, expected in ((400, 400), (302, 502), (401, 502), (503, 503)):
        server = await serve(stack, says(error, status, headers={"location": "http://127.0.0.1:1/"}))
        model = asks(stack, server.url)
        reply = await model.generate("chat", BODY, {})
        assert (reply.status, "sk-123" in reply.body.decode()) == (expected, status == 400)
        assert await read(model) == [reply]


async def test_full_server_is_left_alone_for_as_long_as_it_says(stack: AsyncExitStack) -> None:
    server = await serve(stack, says({"error": "slow down"}, 429, headers={"retry-after": "20"}))
    model = asks(stack, server.url)
    first = await model.generate("chat", BODY, {})
    assert (first.status, first.retry_after_s, b"slow down" in first.body) == (429, 20, True)
    second = await model.generate("chat", BODY, {})
    (third,) = await read(model)
    assert isinstance(third, Reply)
    assert [(reply.status, reply.retry_after_s) for reply in (second, third)] == [(429, 20)] * 2
    assert len(server.bodies) == 1


async def test_server_that_is_not_full_is_asked_before_one_that_is(stack: AsyncExitStack) -> None:
    full = await serve(stack, says({"error": "slow down"}, 429, headers={"retry-after": "20"}))
    free = await serve(stack, says(ANSWER))
    model = asks(stack, full.url, free.url)
    assert [(await model.generate("chat", BODY, {})).status for _ in range(4)] == [429, 200, 200, 200]


async def test_stream_that_breaks_off_after_its_answer_is_whole(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ACCOUNTING_S", 0.05)
    closing = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(CHUNK + closing)
        await asyncio.sleep(5)
        return response

    for handler in (streams(CHUNK, closing), streams(CHUNK, closing, cut=True), silent):
        model = asks(stack, (await serve(stack, handler)).url)
        assert b"".join(part for part in await read(model) if isinstance(part, bytes)) == (
            CHUNK + closing + b"data: [DONE]\n\n"
        )


async def test_answer_without_end_is_a_failure(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_ANSWER_BYTES", 1000)
    monkeypatch.setattr(remote, "MAX_ERROR_BYTES", 100)
    for status, size in ((200, 1001), (400, 101)):
        model = asks(stack, (await serve(stack, says(b"x" * size, status))).url)
        with pytest.raises(EngineError, match=f"more than {size - 1} bytes"):
            await model.generate("chat", BODY, {})
    with pytest.raises(EngineError, match="too long"):
        await read(asks(stack, (await serve(stack, says(b"x" * 1001))).url))


async def test_streams_use_their_connection_again(stack: AsyncExitStack) -> None:
    server = await serve(stack, streams(CHUNK, b"data: [DONE]\n\n"))
    model = asks(stack, server.url)
    for _ in range(3):
        assert await read(model) == [CHUNK, b"data: [DONE]\n\n"]
    assert len(server.peers) == 1
    assert [(body["stream"], body["stream_options"]) for body in server.bodies] == [(True, {"a": 1})] * 3


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        pytest.param(False, "ended before it was done", id="closed"),
        pytest.param(True, "Client", id="broken-off"),
    ],
)
async def test_stream_that_ends_early_is_a_failure(stack: AsyncExitStack, cut: bool, told: str) -> None:
    server = await serve(stack, streams(CHUNK, cut=cut))
    pieces = asks(stack, server.url).generate_stream("chat", BODY, {})
    assert events(await anext(pieces)) == CHUNK
    with pytest.raises(EngineError, match=told):
        await anext(pieces)


async def test_next_server_is_asked_where_one_cannot_be_reached(stack: AsyncExitStack) -> None:
    server = await serve(stack, says(ANSWER))
    model = asks(stack, f"http://127.0.0.1:{unused_port()}/v1", server.url)
    assert (await model.generate("chat", BODY, {})).text == "I."
    assert len(server.bodies) == 1
    assert await model.num_running() == 1


@pytest.mark.parametrize(
    ("resting_s", "statuses"),
    [pytest.param(60, [500, 200, 200, 200], id="rests"), pytest.param(0, [500, 200, 500, 200], id="has-rested")],
)
async def test_server_that_fails_is_asked_after_the_others_for_a_while(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, resting_s: float, statuses: list[int]
) -> None:
    monkeypatch.setattr(remote, "RESTING_S", resting_s)
    servers = [await serve(stack, says(b"", 500)), await serve(stack, says(ANSWER))]
    model = asks(stack, *(server.url for server in servers))
    assert [(await model.generate("chat", BODY, {})).status for _ in range(4)] == statuses


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says(b"", 404), id="unknown-model"),
        pytest.param(says(b"{}"), id="no-answer"),
        pytest.param(says(b"", 500), id="broken"),
    ],
)
async def test_server_that_fails_rests_though_a_probe_finds_it_well(stack: AsyncExitStack, answer: Handler) -> None:
    servers = [await serve(stack, answer), await serve(stack, says(ANSWER))]
    model = asks(stack, *(server.url for server in servers))
    backend = ServeBackend({}, MagicMock(), {"big": model})
    with suppress(BackendError):
        await backend.generate("big", "chat", BODY, {})
    assert await model.num_running() == 2
    assert [(await backend.generate("big", "chat", BODY, {})).status for _ in range(3)] == [200, 200, 200]


async def test_server_that_a_probe_found_down_is_asked_last(stack: AsyncExitStack) -> None:
    servers = [await serve(stack, says(ANSWER)) for _ in range(2)]
    model = asks(stack, *(server.url for server in servers))
    servers[0].models_status = 503
    assert await model.num_running() == 1
    for _ in range(3):
        await model.generate("chat", BODY, {})
    assert [len(server.bodies) for server in servers] == [0, 3]


async def test_stream_that_is_done_is_whole_however_the_connection_ends(stack: AsyncExitStack) -> None:
    server = await serve(stack, streams(CHUNK, b"data: [DONE]\n\n", cut=True))
    assert await read(asks(stack, server.url)) == [CHUNK, b"data: [DONE]\n\n"]


async def test_override_of_none_takes_a_field_out(stack: AsyncExitStack) -> None:
    server = await serve(stack, says(ANSWER))
    await asks(stack, server.url).generate("chat", b'{"thinking_token_budget":9}', {"thinking_token_budget": None})
    assert server.bodies == [{"model": "big", "stream": False}]


async def test_requests_one_after_another_go_round(stack: AsyncExitStack) -> None:
    servers = [await serve(stack, says(ANSWER)) for _ in range(2)]
    model = asks(stack, *(server.url for server in servers))
    for _ in range(4):
        await model.generate("chat", BODY, {})
    assert [len(server.bodies) for server in servers] == [2, 2]


async def test_requests_are_shared_by_the_servers(stack: AsyncExitStack) -> None:
    all_are_there = asyncio.Barrier(4)

    async def waits(_: web.Request) -> web.Response:
        await all_are_there.wait()
        return web.json_response(ANSWER)

    servers = [await serve(stack, waits) for _ in range(2)]
    model = asks(stack, *(server.url for server in servers))
    await asyncio.gather(*(model.generate("chat", BODY, {}) for _ in range(4)))
    assert [len(server.bodies) for server in servers] == [2, 2]


async def test_nobody_to_reach_is_a_failure_that_names_the_model(stack: AsyncExitStack) -> None:
    model = asks(stack, f"http://127.0.0.1:{unused_port()}/v1")
    backend = ServeBackend({}, MagicMock(), {"big": model})
    with pytest.raises(BackendError, match="model 'big': no server can be reached"):
        await backend.generate("big", "chat", BODY, {})
    with pytest.raises(BackendError, match="model 'big': no server can be reached"):
        await anext(backend.stream("big", "chat", BODY, {}))
    assert await model.num_running() == 0


async def test_running_is_what_answers_and_is_well(stack: AsyncExitStack) -> None:
    server = await serve(stack, says(ANSWER))
    model = asks(stack, server.url)
    for status, running in ((503, 0), (401, 0), (404, 1), (302, 1), (200, 1)):
        server.models_status = status
        assert await model.num_running() == running
    assert server.probes == 5


async def test_address_that_no_host_can_have_is_down_and_passed_over(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UnicodeError("label empty or too long")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model = asks(stack, "http://a..b/v1", "http://c..d/v1")
    assert await model.num_running() == 0
    with pytest.raises(EngineError, match="no server can be reached"):
        await model.generate("chat", BODY, {})
    # an address of numbers is not looked up
    server = await serve(stack, says(ANSWER))
    assert (await asks(stack, "http://a..b/v1", server.url).generate("chat", BODY, {})).text == "I."


async def test_change_of_a_server_is_told_once(stack: AsyncExitStack, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(stack, says(ANSWER))
    model = asks(stack, server.url)
    with caplog.at_level("INFO", logger="ray.serve"):
        for status in (200, 503, 503, 404, 404, 200):
            server.models_status = status
            await model.num_running()
    told = [
        (record.levelname, record.message.removeprefix(f"model 'big': {server.url}"))
        for record in caplog.records
        if record.name == "ray.serve"
    ]
    answers = "/models now answers"
    assert told == [("ERROR", f"{answers} 503"), ("ERROR", f"{answers} 404"), ("INFO", f"{answers} 200")]


async def test_what_the_operator_must_mend_is_told_once(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = iter([401, 401, 200, 401, 503, 400])

    async def answers(_: web.Request) -> web.Response:
        return web.json_response(ANSWER | {"error": {"message": "key sk-123"}}, status=next(statuses))

    server = await serve(stack, answers)
    model = asks(stack, server.url)
    for _ in range(6):
        await model.generate("chat", BODY, {})
    told = [
        record.message.removeprefix(f"model 'big': {server.url} answers ")
        for record in caplog.records
        if record.name == "ray.serve"
    ]
    assert told == ["401", "401", "503"]


@pytest.mark.parametrize("call", ["generate", "stream"])
async def test_who_stops_waiting_closes_the_connection(stack: AsyncExitStack, call: str) -> None:
    has_come, has_left = asyncio.Event(), asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        has_come.set()
        try:
            return await asyncio.Future()
        finally:
            has_left.set()

    server = await serve(stack, never)
    model = asks(stack, server.url)
    task = asyncio.ensure_future(model.generate("chat", BODY, {}) if call == "generate" else read(model))
    await has_come.wait()
    task.cancel()
    await asyncio.wait_for(has_left.wait(), 5)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_leaves_a_stream_midway_closes_the_connection(stack: AsyncExitStack) -> None:
    has_left = asyncio.Event()

    async def goes_on(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(CHUNK)
        try:
            return await asyncio.Future()
        finally:
            has_left.set()

    model = asks(stack, (await serve(stack, goes_on)).url)
    async with aclosing(ServeBackend({}, MagicMock(), {"big": model}).stream("big", "chat", BODY, {})) as pieces:
        assert events(await anext(pieces)) == CHUNK
    await asyncio.wait_for(has_left.wait(), 5)
    assert [place.in_flight for place in model._places] == [0]


def test_key_is_not_shown() -> None:
    settings = RemoteSettings.model_validate({"model_id": "big", "urls": ["http://h/v1"], "max_model_len": 1})
    assert "secret" not in repr(RemotePlan(name="big", settings=settings, api_key="secret"))


async def test_load_of_others_is_read_and_a_silent_server_is_left_alone(stack: AsyncExitStack) -> None:
    tells, silent = [await serve(stack, MagicMock()) for _ in range(2)]
    tells.metrics = "vllm:num_requests_running 6.0\nvllm:num_requests_waiting 4.0\n"
    assert await asks(stack, tells.url).in_flight() == 10.0
    both = asks(stack, tells.url, silent.url)
    # half of the load would pass for all of it
    assert [await both.in_flight() for _ in range(2)] == [None, None]
    assert (tells.metrics_reads, silent.metrics_reads) == (3, 1)


async def test_tokens_of_texts_are_asked_for_in_the_servers_words(stack: AsyncExitStack) -> None:
    server = await serve(stack, MagicMock())
    server.count = 7
    assert await asks(stack, server.url, served_model="org/big").count_tokens(["Who?", "Où ?"]) == [7, 7]
    told = [(body["model"], body["messages"]) for body in server.bodies]
    assert told == [("org/big", [{"role": "user", "content": text}]) for text in ("Who?", "Où ?")]


@pytest.mark.parametrize(
    "count",
    [pytest.param(None, id="has no tokenizer"), pytest.param("7", id="no number"), pytest.param(0, id="no tokens")],
)
async def test_server_that_does_not_tell_tokens_is_asked_once(stack: AsyncExitStack, count: Any) -> None:
    server = await serve(stack, MagicMock())
    server.count = count
    assert await asks(stack, server.url).count_tokens(["Who?", "Where?"]) is None
    assert len(server.bodies) == 1


async def test_server_that_is_away_tells_no_tokens(stack: AsyncExitStack) -> None:
    with pytest.raises(EngineError, match="/tokenize: ClientConnectorError"):
        await asks(stack, f"http://127.0.0.1:{unused_port()}/v1").count_tokens(["Who?"])
