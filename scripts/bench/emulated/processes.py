"""The processes of the bench: emulated servers, and the router before them."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import msgspec
import yaml

from profiles.profile import Profile
from scripts.bench.emulated.server import EmulatedModel

END_S = 20.0
READY_TRIES = 100


class EmulationError(Exception):
    """A process of the bench did not start; what it said stands above."""


@contextmanager
def served(
    models: Sequence[EmulatedModel], names: Sequence[str], profile: Profile, *, deadline_s: float
) -> Iterator[str]:
    """The URL of a router that knows the models by these names and this profile."""
    with TemporaryDirectory(prefix="laar-") as name, ExitStack() as stack:
        listed, known, config = (Path(name) / file for file in ("models.json", "profile.json", "laar.yaml"))
        listed.write_bytes(msgspec.json.encode(list(models)))
        known.write_text(profile.model_dump_json())
        port = stack.enter_context(_started("scripts.bench.emulated.server", listed))
        config.write_text(yaml.safe_dump(config_of(models, names, deadline_s=deadline_s, port=port, profile=known)))
        yield f"http://127.0.0.1:{stack.enter_context(_started('scripts.bench.emulated.router', config))}"


@asynccontextmanager
async def ready(url: str, *, timeout_s: float) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the router, once every model can be asked."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=timeout_s, limits=limits) as http:
        for _ in range(READY_TRIES):
            with suppress(httpx.HTTPError):
                if (await http.get("/ready")).status_code == 200:
                    break
            await asyncio.sleep(0.2)
        else:
            raise EmulationError(f"the router was not ready after {READY_TRIES} tries")
        yield http


@contextmanager
def _started(module: str, file: Path) -> Iterator[int]:
    """One of this package's processes; the port that it listens on."""
    process = subprocess.Popen([sys.executable, "-m", module, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not (said := process.stdout.readline()).strip():
            raise EmulationError(f"{module} ended before it listened, with status {process.wait(END_S)}")
        yield int(said)
    finally:
        process.terminate()
        process.wait(END_S)


def config_of(
    models: Sequence[EmulatedModel], names: Sequence[str], *, deadline_s: float, port: int, profile: Path
) -> dict[str, Any]:
    """The application's config: as it is by default, but without learning, so that the order of blocks is none."""
    entries = [
        {
            "engine": "remote",
            "remote": {
                "model_id": name,
                "served_model": model.name,
                "urls": [f"http://127.0.0.1:{port}/{model.name}/v1"],
                "max_model_len": 131_072,
                "max_num_seqs": model.engine.slots,
                "enable_prefix_caching": model.has_prefix_cache,
                "takes_cache_salt": model.has_prefix_cache,
            },
        }
        for name, model in zip(names, models, strict=True)
    ]
    return {
        "profile": str(profile),
        "models": entries,
        "router": {"learning": {"enabled": False}},
        "limits": {"deadline_s": deadline_s, "attempt_timeout_s": deadline_s},
        "log": {"enabled": False},
    }
