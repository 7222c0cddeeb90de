"""The router's handles by themselves: what a model replica raises must not pass for the router's own failure."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping

import httpx
import pytest
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request

from deployments.contract.reply import Chunk, PackedChunk, Reply, packed
from deployments.router.attempt.backend import ServeBackend
from deployments.router.attempt.runner import BackendError
from deployments.verifier.checks import SPEC, Evidence

pytestmark = pytest.mark.serve
APP = "raising"

CHECK = SPEC.validate_python({"type": "custom", "name": "any"})


class EngineDiedError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("cannot be pickled")


ERRORS = {"chat": RuntimeError, "completions": EngineDiedError, "cancelled": asyncio.CancelledError}


@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Raising:
    async def generate(self, endpoint: str, body: bytes, overrides: Mapping[str, object]) -> None:
        raise ERRORS[endpoint]("the engine died")

    async def generate_stream(
        self, endpoint: str, body: bytes, overrides: Mapping[str, object]
    ) -> AsyncGenerator[PackedChunk | Reply, None]:
        yield packed(Chunk(b"data: {}\n\n"))
        raise RuntimeError("the engine died")

    async def check(self, spec: bytes, evidence: Evidence) -> None:
        raise RuntimeError("the check died")


@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Asking:
    """Asks from within a replica, as the router does, and says what failed: calls go otherwise from outside."""

    def __init__(self, raising: DeploymentHandle) -> None:
        self._backend = ServeBackend({"m": raising}, raising)

    async def __call__(self, request: Request) -> str:
        pieces = []
        try:
            match request.query_params["call"]:
                case "stream":
                    async for piece in self._backend.stream("m", "chat", b"{}", {}):
                        pieces.append(piece)
                case "check":
                    await self._backend.verify(CHECK, Evidence(answer="", prompt="", language="en", model="m"))
                case endpoint:
                    await self._backend.generate("m", endpoint, b"{}", {})
        except BackendError as error:
            return f"after {len(pieces)}: {error}"
        return "nothing failed"


@pytest.fixture(scope="module")
def asking(cluster: str) -> Iterator[str]:
    try:
        serve.run(Asking.bind(Raising.bind()), name=APP, route_prefix=f"/{APP}")
        yield f"{cluster}/{APP}"
    finally:
        serve.delete(APP)


@pytest.mark.parametrize(
    ("call", "start"),
    [
        pytest.param("chat", "after 0: model 'm': ", id="answer"),
        pytest.param("completions", "after 0: model 'm': ", id="answer, with an error that cannot be pickled"),
        pytest.param("cancelled", "after 0: model 'm': ", id="answer, cancelled over there"),
        pytest.param("stream", "after 1: model 'm': ", id="stream that has begun"),
        pytest.param("check", "after 0: the verifier: ", id="check"),
    ],
)
def test_whatever_the_other_side_raises_is_its_failure(asking: str, call: str, start: str) -> None:
    told = httpx.get(asking, params={"call": call}, timeout=60)
    assert (told.status_code, told.text[: len(start)]) == (200, start)
    assert "Error" in told.text
