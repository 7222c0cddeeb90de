"""Models behind an OpenAI server that runs elsewhere: asked over HTTP as a model deployment is over its handle."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
from msgspec.structs import replace

from deployments.contract.forwarded import FORWARDED
from deployments.contract.reply import MAX_ANSWER_BYTES, Chunk, Reply
from deployments.engines import remote_protocol as wire
from deployments.engines.engine_configs import RemotePlan
from deployments.engines.openai_answers import EngineError, StreamReader

logger = logging.getLogger("ray.serve")

PATHS = {"chat": "/chat/completions", "completions": "/completions"}
MAX_ERROR_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 5.0
# A request that meets a connection which the server is closing is lost: uvicorn closes after five idle seconds.
KEEP_ALIVE_S = 2.0
# A stream whose answer is finished has so long to say what it has cost.
ACCOUNTING_S = 5.0
# After its last event a stream has so long to end, so that its connection can be used again.
CLOSING_S = 1.0
MAX_METRICS_BYTES = 4 * 1024 * 1024
# A server that does not tell its load is not asked for so long.
SILENT_S = 60.0
# A server that failed a request is asked after the others for so long.
RESTING_S = 5.0
# without the key that a server wants nothing can be asked of it
_LOCKED = frozenset({401, 403})
# the request has not gone out; the last two for a host that cannot be written as one
_UNREACHABLE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError)


@dataclass(slots=True, kw_only=True)
class _RemoteServer:
    """One of the servers; `status` is what it said when it was last probed, None if it did not answer then.

    `told` is the status of a request by which the operator was told last that something is wrong; `full_until_s` is
    when it wants to be asked again after a 429, `silent_until_s` when it may have metrics again.
    """

    url: str
    status: int | None = 200
    told: int | None = None
    rests_until_s: float = 0.0
    full_until_s: float = 0.0
    silent_until_s: float = 0.0
    in_flight: int = 0
    last_turn: int = 0

    def burden(self, now_s: float) -> tuple[bool, int, int]:
        return (
            not _is_well(self.status) or now_s < max(self.rests_until_s, self.full_until_s),
            self.in_flight,
            self.last_turn,
        )


class RemoteModel:
    """`generate`, `generate_stream` and how many of its servers are up; to be used on one event loop."""

    def __init__(self, plan: RemotePlan) -> None:
        self._plan = plan
        self._places = [_RemoteServer(url=str(url).rstrip("/")) for url in plan.settings.urls]
        self._turns = count(1)
        self._session: aiohttp.ClientSession | None = None

    async def generate(self, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        """Answer without streaming; `overrides` replace fields of the request. EngineError says what failed."""
        if (wait_s := self._wait_s()) > 0:
            return wire.full(wait_s, self._plan.name)
        async with self._post(endpoint, self._request(body, overrides, stream=False)) as response:
            if response.status != 200:
                return await self._failure(response)
            return wire.reply(await _read(response, MAX_ANSWER_BYTES), self._plan.name)

    async def generate_stream(
        self, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[Chunk | Reply, None]:
        """Yield the chunks, and an error `Reply` where the server refuses or fails; EngineError where it breaks off."""
        if (wait_s := self._wait_s()) > 0:
            yield wire.full(wait_s, self._plan.name)
            return
        async with self._post(endpoint, self._request(body, overrides, stream=True)) as response:
            if response.status != 200:
                yield await self._failure(response)
                return
            reader = wire.stream_reader(self._plan.name, MAX_ANSWER_BYTES)
            async for piece in _pieces(response, reader):
                for chunk in reader.feed(piece):
                    yield chunk
                if reader.is_done:
                    await _drain(response)
                    return
            for chunk in reader.end():
                yield chunk
            if not reader.is_done:
                raise EngineError("the stream ended before it was done")

    async def num_running(self) -> int:
        """How many of the servers can be asked: they answer with neither 500 and up nor a refusal of the key."""
        await asyncio.gather(*map(self._probe, self._places))
        return sum(_is_well(place.status) for place in self._places)

    async def in_flight(self) -> float | None:
        """Requests that a server runs and queues on average, whoever sent them; None where one is silent."""
        told = await asyncio.gather(*(self._told_load(place) for place in self._places if _is_well(place.status)))
        known = [number for number in told if number is not None]
        return sum(known) / len(known) if known and len(known) == len(told) else None

    async def count_tokens(self, texts: Sequence[str]) -> list[int] | None:
        """The prompt tokens of each text as a user's only message; None where the first server does not tell.

        EngineError where it cannot be reached.
        """
        url, found = self._places[0].url.removesuffix("/v1") + "/tokenize", []
        try:
            for text in texts:
                body = {"model": self._served_model, "messages": [{"role": "user", "content": text}]}
                async with self._http().post(url, data=json.dumps(body), allow_redirects=False) as response:
                    count = wire.token_count(await _read(response, MAX_METRICS_BYTES), response.status)
                if count is None:
                    return None
                found.append(count)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise EngineError(f"{url}: {type(error).__name__}") from error
        return found

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _probe(self, place: _RemoteServer) -> None:
        status = None
        with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                async with self._http().get(place.url + "/models", allow_redirects=False) as response:
                    status = response.status
        if status != place.status:
            place.status = status
            # an error where somebody must mend something, which Ray's buffer of log records does not hold back
            level = logging.INFO if status == 200 else logging.ERROR
            logger.log(level, "model '%s': %s/models now answers %s", self._plan.name, place.url, status or "nothing")

    async def _told_load(self, place: _RemoteServer) -> float | None:
        """By the server's metrics, which stand beside the API and not under it."""
        if time.monotonic() < place.silent_until_s:
            return None
        found = None
        with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError, EngineError):
            url = place.url.removesuffix("/v1") + "/metrics"
            async with asyncio.timeout(CONNECT_TIMEOUT_S), self._http().get(url, allow_redirects=False) as response:
                if response.status == 200:
                    metrics = await _read(response, MAX_METRICS_BYTES)
                    found = wire.in_flight(metrics, self._served_model)
        if found is None:
            place.silent_until_s = time.monotonic() + SILENT_S
        return found

    @asynccontextmanager
    async def _post(self, endpoint: str, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response of the least busy server that can be reached; one that cannot has got nothing of the request."""
        reason, has_begun = "", False
        now_s = time.monotonic()
        for place in sorted(self._places, key=lambda place: place.burden(now_s)):
            place.in_flight += 1
            place.last_turn = next(self._turns)
            try:
                async with self._http().post(
                    place.url + PATHS[endpoint], data=body, headers=FORWARDED.get(), allow_redirects=False
                ) as response:
                    has_begun = True
                    self._note(place, response)
                    yield response
                    return
            except EngineError:
                place.rests_until_s = time.monotonic() + RESTING_S
                raise
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                place.rests_until_s = time.monotonic() + RESTING_S
                reason = f"{place.url}: {type(error).__name__}"
                if has_begun or not isinstance(error, _UNREACHABLE):
                    raise EngineError(reason) from error
            finally:
                place.in_flight -= 1
        raise EngineError(f"no server can be reached; the last: {reason}")

    def _http(self) -> aiohttp.ClientSession:
        """Made by the first request, on whose loop it then lives."""
        if self._session is None:
            headers = {"content-type": "application/json", "accept-encoding": "identity"}
            if self._plan.api_key:
                headers["authorization"] = f"Bearer {self._plan.api_key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S),
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _request(self, body: bytes, overrides: Mapping[str, Any], *, stream: bool) -> bytes:
        return wire.request(body, overrides, model=self._served_model, stream=stream)

    @property
    def _served_model(self) -> str:
        return self._plan.settings.served_model or self._plan.name

    def _wait_s(self) -> float:
        """For how long all servers have said that they take nothing."""
        return min(place.full_until_s for place in self._places) - time.monotonic()

    def _note(self, place: _RemoteServer, response: aiohttp.ClientResponse) -> None:
        """What a status says of the server: a refusal nothing, and what else is wrong is told as it changes."""
        status = response.status
        if status == 429:
            place.full_until_s = time.monotonic() + (wire.retry_after_s(response.headers, time.time()) or 0)
        elif status == 200:
            place.told = None
        elif status not in wire.REFUSALS:
            place.rests_until_s = time.monotonic() + RESTING_S
            if status != place.told:
                logger.error("model '%s': %s answers %s", self._plan.name, place.url, status)
            place.told = status

    async def _failure(self, response: aiohttp.ClientResponse) -> Reply:
        reply = wire.failure(response.status, await _read(response, MAX_ERROR_BYTES), self._plan.name)
        return replace(reply, retry_after_s=wire.retry_after_s(response.headers, time.time()))


def _is_well(status: int | None) -> bool:
    return status is not None and status < 500 and status not in _LOCKED


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise EngineError(f"an answer of more than {max_bytes} bytes")
    return b"".join(pieces)


async def _pieces(response: aiohttp.ClientResponse, reader: StreamReader) -> AsyncGenerator[bytes, None]:
    """What comes of a stream; once its answer is finished, a connection that fails or falls silent is its end."""
    while True:
        try:
            async with asyncio.timeout(ACCOUNTING_S if reader.is_finished else None):
                piece = await response.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError):
            if reader.is_finished:
                return
            raise
        if not piece:
            return
        yield piece


async def _drain(response: aiohttp.ClientResponse) -> None:
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSING_S):
            async for _ in response.content.iter_any():
                pass
