"""An OpenAI server of one model that fails as it is told to: slow, silent, erring, with rubbish, or broken off."""

import asyncio
import json
from enum import StrEnum

from aiohttp import web

from scripts.bench.chaos.application import ENGINE_S, REMOTE
from scripts.bench.chaos.traffic import RIGHT

SLOW_S = 6.0


class Mode(StrEnum):
    WELL = "well"
    HUNG = "hung"
    SLOW = "slow"
    ERRING = "erring"
    RUBBISH = "rubbish"
    BROKEN_OFF = "broken off"


class SwitchableServer:
    """`mode` holds for the requests to come; what a silent one holds is let go when it ends."""

    def __init__(self) -> None:
        self.mode = Mode.WELL
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, _request: web.Request) -> web.StreamResponse:
        if self.mode is Mode.HUNG:
            await asyncio.Event().wait()
        return web.json_response({"object": "list", "data": [{"id": REMOTE, "object": "model", "created": 0}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        match self.mode:
            case Mode.HUNG:
                await asyncio.Event().wait()
            case Mode.ERRING:
                error = {"message": "out of memory", "type": "server_error", "code": "500"}
                return web.json_response({"error": error}, status=500)
            case Mode.RUBBISH:
                return web.Response(body=b"\x00\xff<html>" * 50, content_type="application/json")
            case Mode.BROKEN_OFF:
                response = web.StreamResponse(headers={"content-type": "text/event-stream"})
                await response.prepare(request)
                await response.write(b'data: {"id":"x","obj')
                assert request.transport is not None
                request.transport.abort()
                return response
            case Mode.SLOW:
                await asyncio.sleep(SLOW_S)
            case Mode.WELL:
                await asyncio.sleep(ENGINE_S)
        return await (_stream(request) if body.get("stream") else _whole())


async def _whole() -> web.StreamResponse:
    message = {"role": "assistant", "content": RIGHT}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    base = {"id": "simulated", "object": "chat.completion", "created": 0, "model": REMOTE}
    return web.json_response(base | {"choices": [choice], "usage": usage})


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    base = {"id": "simulated", "object": "chat.completion.chunk", "created": 0, "model": REMOTE}
    for delta, reason in (({"role": "assistant", "content": RIGHT}, None), ({}, "stop")):
        event = base | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response
