"""The router's handles by themselves: what a model replica raises must not pass for the router's own failure."""

from collections.abc import AsyncGenerator, Mapping

import pytest
from ray import serve

from deployments.router.backend import ServeBackend
from deployments.router.runner import BackendError

pytestmark = pytest.mark.serve


class EngineDiedError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("cannot be pickled")


@serve.deployment
class Raising:
    async def generate(self, endpoint: str, body: bytes, overrides: Mapping[str, object]) -> None:
        raise {"chat": RuntimeError, "completions": EngineDiedError}[endpoint]("the engine died")

    async def generate_stream(
        self, endpoint: str, body: bytes, overrides: Mapping[str, object]
    ) -> AsyncGenerator[bytes, None]:
        yield b"data: {}\n\n"
        raise RuntimeError("the engine died")

    async def check(self, spec: bytes, evidence: object) -> None:
        raise RuntimeError("the check died")


@pytest.fixture
def backend(cluster: str) -> ServeBackend:
    handle = serve.run(Raising.bind(), name="raising", route_prefix=None)
    return ServeBackend({"m": handle}, handle)


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
async def test_whatever_a_model_raises_is_a_failed_attempt(backend: ServeBackend, endpoint: str) -> None:
    with pytest.raises(BackendError, match=r"Error"):
        await backend.generate("m", endpoint, b"{}", {})


async def test_what_a_model_raises_within_a_stream_is_a_failed_attempt(backend: ServeBackend) -> None:
    pieces = backend.stream("m", "chat", b"{}", {})
    assert await anext(pieces) == b"data: {}\n\n"
    with pytest.raises(BackendError, match=r"model 'm': .*Error"):
        await anext(pieces)


async def test_what_the_verifier_raises_is_its_failure(backend: ServeBackend) -> None:
    with pytest.raises(BackendError, match=r"Error"):
        await backend.verify(b"{}", None)  # type: ignore[arg-type]
