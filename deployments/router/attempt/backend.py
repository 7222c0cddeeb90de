"""The router's way to models and verifier: Ray Serve handles and HTTP behind the runner's `Backend`."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType
from typing import Any

from ray.exceptions import RayActorError, TaskCancelledError
from ray.serve.handle import DeploymentHandle, DeploymentResponse

from deployments.contract.reply import Chunk, Reply, unpacked
from deployments.contract.verdict import Evidence, Reason, Verdict, unknown
from deployments.engines.openai_answers import EngineError
from deployments.engines.remote import RemoteModel
from deployments.engines.serve_status import Address, handle_of
from deployments.router.attempt.runner import BackendError, VerifierGoneError
from deployments.verifier.checks import Check, Place, Spec, check

logger = logging.getLogger("ray.serve")

# When a client leaves, Ray cancels the calls of its request first, and its task some turns of the loop later.
LEAVING_S = 0.2
# all that goes over these handles has a type of a module's own; cloudpickle, the default, takes some 20 us longer
_PLAIN = {"request_serialization": "pickle", "response_serialization": "pickle"}


class ServeBackend:
    """Calls with `generate` for one answer and `generate_stream` for chunks of a stream.

    Whatever comes back raised is the other side's failure, from a dead replica to an engine's own error: which types
    those have depends on how Ray carried the call.
    """

    def __init__(
        self,
        models: Mapping[str, Address],
        verifier: Address,
        remote: Mapping[str, RemoteModel] = MappingProxyType({}),
    ) -> None:
        self._models, self._verifier, self._remote = models, verifier, remote
        # by address and method; options() takes longer than a call
        self._handles: dict[tuple[Address, str], DeploymentHandle] = {}

    async def generate(self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        if (remote := self._remote.get(model)) is not None:
            async with _failure_of(f"model '{model}'"):
                return await remote.generate(endpoint, body, overrides)
        async with _failure_of(f"model '{model}'"):
            handle = await self._handle(self._models[model], "generate")
        # an engine may have several models
        overrides = {**overrides, "model": model}
        reply: Reply = await _finish(handle.remote(endpoint, body, overrides), f"model '{model}'")
        return reply

    async def stream(
        self, model: str, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[Chunk | Reply, None]:
        if (remote := self._remote.get(model)) is not None:
            async with (
                _failure_of(f"model '{model}'"),
                aclosing(remote.generate_stream(endpoint, body, overrides)) as chunks,
            ):
                async for chunk in chunks:
                    yield chunk
            return
        async with _failure_of(f"model '{model}'"):
            handle = await self._handle(self._models[model], "generate_stream", stream=True)
        chunks = handle.remote(endpoint, body, {**overrides, "model": model})
        is_done = False
        try:
            async with _failure_of(f"model '{model}'"):
                async for chunk in chunks:
                    yield unpacked(chunk)
            is_done = True
        finally:
            if not is_done:
                chunks.cancel()

    def verdict_here(self, spec: Spec, evidence: Evidence) -> Verdict | None:
        """Of a check that is over before the way to the verifier and back would be."""
        if not (isinstance(spec, Check) and spec.place(evidence) is Place.INLINE):
            return None
        try:
            return check(spec, evidence)
        except Exception as error:
            # without the error's text, in which the answer may stand
            logger.warning("a check broke down", extra={"error": type(error).__name__})
            return unknown(Reason.VERIFIER_FAILED)

    async def verify(self, spec: Spec, evidence: Evidence) -> Verdict:
        spec_json = spec.model_dump_json(by_alias=True).encode()
        async with _failure_of("the verifier"):
            handle = await self._handle(self._verifier, "check")
        try:
            verdict: Verdict = await _finish(handle.remote(spec_json, evidence), "the verifier")
        except BackendError as error:
            if isinstance(error.__cause__, RayActorError):
                raise VerifierGoneError(str(error)) from error.__cause__
            raise
        return verdict

    async def in_flight(self, model: str) -> float | None:
        """Requests that a replica of the model has under way, whoever sent them; None where engines do not tell."""
        if (remote := self._remote.get(model)) is not None:
            return await remote.in_flight()
        async with _failure_of(f"model '{model}'"):
            handle = await self._handle(self._models[model], "in_flight")
        number: int = await _finish(handle.remote(), f"model '{model}'")
        return float(number)

    async def count_tokens(self, model: str, texts: Sequence[str]) -> list[int] | None:
        """The prompt tokens that the model's tokenizer makes of each text; None where engines do not tell."""
        if (remote := self._remote.get(model)) is not None:
            return await remote.count_tokens(texts)
        async with _failure_of(f"model '{model}'"):
            handle = await self._handle(self._models[model], "count_tokens")
        counts: list[int] | None = await _finish(handle.remote(texts), f"model '{model}'")
        return counts

    async def _handle(self, address: Address, method: str, *, stream: bool = False) -> DeploymentHandle:
        if (found := self._handles.get((address, method))) is None:
            handle = await handle_of(address)
            found = self._handles[address, method] = handle.options(method_name=method, stream=stream, **_PLAIN)
        return found


async def _finish(response: DeploymentResponse, whose: str) -> Any:
    try:
        async with _failure_of(whose):
            return await response
    except asyncio.CancelledError:
        response.cancel()
        raise


@asynccontextmanager
async def _failure_of(whose: str) -> AsyncIterator[None]:
    try:
        yield
    except EngineError as error:
        raise BackendError(f"{whose}: {error}") from None
    except (asyncio.CancelledError, TaskCancelledError) as error:
        if _is_cancelled():
            raise asyncio.CancelledError from None
        await asyncio.sleep(LEAVING_S)
        raise BackendError(f"{whose}: {type(error).__name__}") from error
    except Exception as error:
        raise BackendError(f"{whose}: {type(error).__name__}") from error


def _is_cancelled() -> bool:
    """Whether it was here that the work was cancelled, and not on the other side."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
