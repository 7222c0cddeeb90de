"""An HTTP server that answers every chat at once, with the bytes of the simulated engine; for peers that need a URL.

Started as `python -m uvicorn scripts.bench.cost.instant_backend:app`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

MODEL = "simulated-instant"
_ANSWER = {
    "id": "simulated",
    "object": "chat.completion",
    "created": 0,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "[simulated] answer"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 62, "total_tokens": 64, "completion_tokens": 2},
}
_BODIES = {
    "/v1/chat/completions": msgspec.json.encode(_ANSWER),
    "/v1/models": msgspec.json.encode({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0}]}),
    "/health": b"{}",
}


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Read the request to its end, so that the connection can be kept, and answer by its path alone."""
    while (await receive()).get("more_body"):
        pass
    body = _BODIES.get(scope["path"])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body or b""))]
    await send({"type": "http.response.start", "status": 200 if body else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})
