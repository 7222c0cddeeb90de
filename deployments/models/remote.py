"""Models behind an OpenAI server that runs elsewhere: asked over HTTP as a model deployment is over its handle.

What comes back is held to what the rest relies on: compact JSON, one event a piece, the model under laar's name for it,
and errors in the OpenAI shape.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from deployments.errors import error_body
from deployments.models.reply import Reply
from deployments.models.settings import RemoteSettings

logger = logging.getLogger("ray.serve")

PATHS = {"chat": "/chat/completions", "completions": "/completions"}
DONE = b"data: [DONE]\n\n"
# An answer, or an event of a stream, that is larger is taken for a failure.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
# Shorter than uvicorn's five seconds: a request that meets a connection being closed is lost.
KEEP_ALIVE_S = 4.0
# What says something of the request. Other 4xx are between laar and the server: a wrong key, an unknown model.
_REFUSALS = frozenset({400, 413, 422, 429})
_UNREACHABLE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class RemoteError(Exception):
    """The server could not be reached, broke off, or answered what is no OpenAI answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePlan:
    """A remote model's settings with its key found out."""

    name: str
    settings: RemoteSettings
    api_key: str = field(default="", repr=False)


@dataclass(slots=True, kw_only=True)
class _Place:
    """One of the URLs: whether it answered when last asked, and how many requests of ours it has."""

    url: str
    is_up: bool = True
    in_flight: int = 0

    @property
    def burden(self) -> tuple[bool, int]:
        return not self.is_up, self.in_flight


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RemoteModel:
    """`generate`, `generate_stream` and how many of its servers are up; to be used on one event loop."""

    def __init__(self, plan: RemotePlan) -> None:
        self._plan = plan
        self._places = [_Place(url=url) for url in plan.settings.urls]
        self._session: aiohttp.ClientSession | None = None

    async def generate(self, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        """Answer without streaming; `overrides` replace fields of the request. RemoteError says what failed."""
        sent = self._request(body, overrides, stream=False)
        async with self._post(endpoint, sent) as response:
            answer = await _read(response)
            return self._reply(answer) if response.status == 200 else self._failure(response.status, answer)

    async def generate_stream(
        self, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[bytes | Reply, None]:
        """Yield server-sent events, or one error `Reply` when the server refuses; RemoteError where it breaks off."""
        sent = self._request(body, overrides, stream=True)
        async with self._post(endpoint, sent) as response:
            if response.status != 200:
                yield self._failure(response.status, await _read(response))
                return
            async for payload in _payloads(response):
                if payload == b"[DONE]":
                    yield DONE
                    return
                yield b"data: " + self._named(payload) + b"\n\n"
        raise RemoteError("the stream ended before it was done")

    async def num_running(self) -> int:
        """How many of the servers answer, whatever they say; a request prefers those that did."""
        await asyncio.gather(*map(self._probe, self._places))
        return sum(place.is_up for place in self._places)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _probe(self, place: _Place) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S), self._http().get(place.url + "/models") as response:
                place.is_up = response.status < 500
                if response.status != 200:
                    logger.warning(f"model '{self._plan.name}': {place.url}/models answers {response.status}")
        except (aiohttp.ClientError, TimeoutError):
            place.is_up = False

    @asynccontextmanager
    async def _post(self, endpoint: str, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response of the least busy server that can be reached; one that cannot has got nothing of the request."""
        reason: Exception | None = None
        for place in sorted(self._places, key=lambda place: place.burden):
            place.in_flight += 1
            try:
                async with self._http().post(place.url + PATHS[endpoint], data=body, allow_redirects=False) as response:
                    place.is_up = True
                    yield response
                    return
            except _UNREACHABLE as error:
                place.is_up, reason = False, error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise RemoteError(f"{place.url}: {type(error).__name__}: {error}") from error
            finally:
                place.in_flight -= 1
        raise RemoteError(f"no server can be reached: {reason}") from reason

    def _http(self) -> aiohttp.ClientSession:
        """Made by the first request, on whose loop it then lives."""
        if self._session is None:
            key = self._plan.api_key
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                headers={"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {}),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _request(self, body: bytes, overrides: Mapping[str, Any], *, stream: bool) -> bytes:
        """The client's body under the server's name for the model, without what only laar reads."""
        fields: dict[str, Any] = {**_FIELDS.decode(body), **overrides}
        fields |= {"model": self._plan.settings.served_model or self._plan.name, "stream": stream}
        fields.pop("laar", None)
        if not stream:
            fields.pop("stream_options", None)
        return msgspec.json.encode(fields)

    def _reply(self, answer: bytes) -> Reply:
        try:
            found = _ANSWER.decode(answer)
        except msgspec.MsgspecError as error:
            raise RemoteError(f"no OpenAI answer: {error}") from error
        if not found.choices:
            raise RemoteError("no OpenAI answer: it has no choices")
        first, usage = found.choices[0], found.usage or _Usage()
        return Reply(
            status=200,
            body=self._named(answer),
            text=(first.message.content if first.message else first.text) or "",
            prompt_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
        )

    def _named(self, answer: bytes) -> bytes:
        """JSON written compactly, with laar's name of the model; its `laar` object is not the server's to give."""
        try:
            fields = msgspec.json.decode(answer, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise RemoteError(f"no OpenAI answer: {error}") from error
        fields.pop("laar", None)
        if "model" in fields:
            fields["model"] = self._plan.name
        return msgspec.json.encode(fields)

    def _failure(self, status: int, answer: bytes) -> Reply:
        """What the server said, where that says something of the request; any other status is its own failure."""
        if status in _REFUSALS or status >= 500:
            return Reply(status, _error_in(answer) or self._error(status))
        logger.warning(f"model '{self._plan.name}': its server answers {status}: {answer[:200]!r}")
        return Reply(502, self._error(status))

    def _error(self, status: int) -> bytes:
        message = f"the server of model '{self._plan.name}' answered with status {status}"
        return error_body(message, type_="server_error" if status >= 500 else "invalid_request_error", code=status)


def _error_in(answer: bytes) -> bytes | None:
    """The answer, if it is an OpenAI error."""
    try:
        fields = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
    return answer if isinstance(fields.get("error"), dict) else None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise RemoteError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    return b"".join(pieces)


async def _payloads(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The data of each server-sent event."""
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in whole:
            if payload := _data(event):
                yield payload
        if len(rest) > MAX_ANSWER_BYTES:
            raise RemoteError(f"an event of more than {MAX_ANSWER_BYTES} bytes")


def _data(event: bytes) -> bytes:
    return b"\n".join(_data_lines(event))


def _data_lines(event: bytes) -> Iterator[bytes]:
    for line in event.split(b"\n"):
        if line.startswith(b"data:"):
            yield line[5:].strip()
