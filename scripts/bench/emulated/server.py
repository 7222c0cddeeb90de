"""OpenAI servers of emulated models, in one process: `python -m scripts.bench.emulated.server FILE` prints its port.

A model gives what a real one was recorded to answer, right or wrong, and takes as long as its engine would. Nothing
else of the answer is real: its text is one of two words.
"""

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from scripts.bench.emulated.engine import EmulatedEngine, EmulatedHost
from scripts.simulate.core.engine import Engine

RIGHT, WRONG = "emulated-right", "emulated-wrong"
# which recorded prompt a message stands for
_PROMPT = re.compile(r"\[prompt ([^\]\s]{1,200})\]")


class EmulatedAnswer(msgspec.Struct, frozen=True):
    """What one model was recorded to answer to one prompt, and the tokens that its engine takes for it."""

    is_right: bool
    prompt_tokens: float
    output_tokens: float


class EmulatedModel(msgspec.Struct, frozen=True):
    """A model by the name under which it is served, its engine, and its answers by prompt.

    With `has_prefix_cache` a prompt that came before with the same salt is read from the cache.
    """

    name: str
    engine: Engine
    answers: dict[str, EmulatedAnswer]
    has_prefix_cache: bool = False


def marked(prompt_id: str, text: str) -> str:
    """A message by which the servers know the recorded prompt."""
    return f"[prompt {prompt_id}] {text}"


def application(models: list[EmulatedModel]) -> web.Application:
    """All models, each below a path of its name; must be made where the loop runs.

    Engines that slow one another down stand on one machine.
    """
    shared = EmulatedHost() if any(model.engine.host_share > 0 for model in models) else None
    engines = {model.name: (model, EmulatedEngine(model.engine, shared or EmulatedHost())) for model in models}
    read_before: set[tuple[str, str, str]] = set()

    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if (served := engines.get(request.match_info["model"])) is None:
            raise web.HTTPNotFound
        model, engine = served
        found = _PROMPT.search(str(body["messages"][-1]["content"]))
        answer = model.answers.get(found[1]) if found else None
        if answer is None:
            error = {"message": "no recorded prompt is named in the message", "type": "invalid_request_error"}
            return web.json_response({"error": error}, status=400)
        prompt_tokens = answer.prompt_tokens
        if model.has_prefix_cache and found is not None:
            key = (model.name, found[1], str(body.get("cache_salt")))
            prompt_tokens = model.engine.unread(prompt_tokens) if key in read_before else prompt_tokens
            read_before.add(key)
        await engine.work(prompt_tokens=prompt_tokens, output_tokens=answer.output_tokens)
        if not body.get("stream"):
            return web.json_response(_answer(model.name, answer))
        return await _streamed(request, model.name, answer)

    async def listed(request: web.Request) -> web.Response:
        name = request.match_info["model"]
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"}]})

    app = web.Application(client_max_size=16 << 20)
    app.add_routes([web.post("/{model}/v1/chat/completions", chat), web.get("/{model}/v1/models", listed)])
    return app


def _answer(model: str, answer: EmulatedAnswer) -> dict[str, Any]:
    message = {"role": "assistant", "content": RIGHT if answer.is_right else WRONG}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "emulated",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": _usage(answer),
    }


def _usage(answer: EmulatedAnswer) -> Mapping[str, int]:
    read, written = round(answer.prompt_tokens), max(1, round(answer.output_tokens))
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


async def _streamed(request: web.Request, model: str, answer: EmulatedAnswer) -> web.StreamResponse:
    """All at the end: when the tokens come does not matter to a router that verifies whole answers."""
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    whole = _answer(model, answer)
    (choice,) = whole["choices"]
    delta = {"index": 0, "delta": choice["message"], "finish_reason": "stop"}
    for event in (whole | {"object": "chat.completion.chunk", "choices": [delta]}, whole | {"choices": []}):
        await response.write(b"data: " + msgspec.json.encode(event) + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


async def serve(models: list[EmulatedModel]) -> None:
    """Until the process is ended; the first line printed is the port."""
    runner = web.AppRunner(application(models), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[EmulatedModel])))
