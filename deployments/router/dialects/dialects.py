"""The APIs that laar speaks besides OpenAI's chat and completions, by their paths."""

from typing import Any

import msgspec

from deployments.router.dialects.exchange import Dialect
from deployments.router.dialects.messages import MESSAGES
from deployments.router.dialects.responses import RESPONSES

DIALECTS: dict[str, Dialect] = {"/v1/responses": RESPONSES, "/v1/messages": MESSAGES}


def in_dialect(path: str, body: bytes, status: int, request_id: str) -> bytes:
    """The body of an OpenAI error as clients of this path read errors."""
    dialect = next((DIALECTS[own] for own in DIALECTS if path == own or path.startswith(own + "/")), None)
    if dialect is None:
        return body
    try:
        error: Any = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        error = {"message": "the engine refused the request"}
    return msgspec.json.encode(
        dialect.refusal(error if isinstance(error, dict) else {"message": str(error)}, status, request_id)
    )
