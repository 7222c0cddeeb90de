"""The router's way to the other deployments: Ray Serve handles behind the runner's `Backend`."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ray.serve.handle import DeploymentHandle, DeploymentResponse

from deployments.models.reply import Reply
from deployments.router.runner import BackendError
from deployments.verifier.checks import Evidence, Verdict

# all that goes over these handles has a type of a module's own; cloudpickle, the default, takes some 20 us longer
_PLAIN = {"request_serialization": "pickle", "response_serialization": "pickle"}


class ServeBackend:
    """Calls with `generate` for one answer and `generate_stream` for server-sent events.

    Whatever comes back raised is the other side's failure, from a dead replica to an engine's own error: which types
    those have depends on how Ray carried the call.
    """

    def __init__(self, models: Mapping[str, DeploymentHandle], verifier: DeploymentHandle) -> None:
        self._generate = {name: handle.options(method_name="generate", **_PLAIN) for name, handle in models.items()}
        self._stream = {
            name: handle.options(method_name="generate_stream", stream=True, **_PLAIN)
            for name, handle in models.items()
        }
        self._check = verifier.options(method_name="check", **_PLAIN)

    async def generate(self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        reply: Reply = await _finish(self._generate[model].remote(endpoint, body, overrides))
        return reply

    async def stream(
        self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[bytes | Reply, None]:
        pieces = self._stream[model].remote(endpoint, body, overrides)
        is_done = False
        try:
            async for piece in pieces:
                yield piece
            is_done = True
        except Exception as error:
            raise BackendError(f"model '{model}': {type(error).__name__}") from error
        finally:
            if not is_done:
                pieces.cancel()

    async def verify(self, spec_json: bytes, evidence: Evidence) -> Verdict:
        verdict: Verdict = await _finish(self._check.remote(spec_json, evidence))
        return verdict


async def _finish(response: DeploymentResponse) -> Any:
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    except Exception as error:
        raise BackendError(type(error).__name__) from error
