"""Steady verified traffic, and what its clients were told."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from deployments.contract.verdict import Evidence

PATH = "/v1/chat/completions"
RIGHT = "at home"
# a client waits for so much longer than its deadline before it calls the request lost
LOST_S = 5.0
_INLINE: Mapping[str, Any] = {"type": "contains", "value": RIGHT}
# made by the verifier's replica, whereas the other one is made in the router
_DELEGATED: Mapping[str, Any] = {"type": "custom", "name": "at_home"}


def is_at_home(evidence: Evidence) -> bool:
    """The operator's own check of the benches."""
    return RIGHT in evidence.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAnswer:
    """How one request ended for its client.

    `status` 0 is a connection that broke or was silent for too long, `code` that of OpenAI's error, empty where there
    is none or it has another shape. `attempts` are models with their verdicts, as the answer lists them.
    """

    begun_s: float
    took_s: float
    tenant: int
    status: int
    code: str = ""
    request_id: str = ""
    is_verified: bool = False
    is_right: bool = False
    attempts: tuple[tuple[str, str], ...] = ()

    @property
    def ended_s(self) -> float:
        return self.begun_s + self.took_s

    @property
    def is_ok(self) -> bool:
        return self.status == 200 and not self.code


class FaultTraffic:
    """Asks with the keys of the tenants, and keeps every answer; `task` is that of the requests to come."""

    def __init__(self, url: str, keys: Sequence[str], *, deadline_s: float) -> None:
        self._url, self._keys, self._deadline_s = url, keys, deadline_s
        self.task = "default"
        self.answers: list[ToldAnswer] = []
        self._count = 0

    @asynccontextmanager
    async def clients(self, number: int) -> AsyncIterator[None]:
        """So many clients while the block runs, each of which asks again when it has its answer."""
        is_over = asyncio.Event()

        async def client(session: aiohttp.ClientSession, tenant: int) -> None:
            while not is_over.is_set():
                answer = await self.ask(session, tenant)
                if not answer.is_ok:
                    await asyncio.sleep(0.1)

        async with self.session() as session:
            running = [asyncio.create_task(client(session, number % len(self._keys))) for number in range(number)]
            try:
                yield
            finally:
                is_over.set()
                await asyncio.gather(*running)

    async def paced(self, session: aiohttp.ClientSession, *, tenant: int, per_s: float, seconds: float) -> None:
        """Requests at a pace that does not care for their answers, which are waited for at the end."""
        asked, began_s = set[asyncio.Task[ToldAnswer]](), time.monotonic()
        for number in range(round(per_s * seconds)):
            await asyncio.sleep(max(0.0, began_s + number / per_s - time.monotonic()))
            asked.add(task := asyncio.create_task(self.ask(session, tenant)))
            task.add_done_callback(asked.discard)
        await asyncio.gather(*asked)

    def session(self) -> aiohttp.ClientSession:
        total_s = self._deadline_s + LOST_S
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=total_s)
        )

    async def ask(self, session: aiohttp.ClientSession, tenant: int) -> ToldAnswer:
        """Every third request streams; every other one has a check that the verifier makes."""
        self._count += 1
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": f'{self._count}: where is it? <sim answer="{RIGHT}">'}],
            "temperature": 0,
            "stream": self._count % 3 == 0,
            "laar": {
                "verify": _DELEGATED if self._count % 2 else _INLINE,
                "deadline_s": self._deadline_s,
                "task": self.task,
            },
        }
        headers = {"authorization": f"Bearer {self._keys[tenant]}"}
        begun_s = time.monotonic()
        status, told = 0, dict[str, Any]()
        try:
            async with session.post(self._url + PATH, json=body, headers=headers) as response:
                text = (await response.read()).decode(errors="replace")
                status = response.status
                told = read_answer(text, status)
        except (aiohttp.ClientError, OSError, TimeoutError):
            told = {}
        answer = ToldAnswer(begun_s=begun_s, took_s=time.monotonic() - begun_s, tenant=tenant, status=status, **told)
        self.answers.append(answer)
        return answer


def read_answer(text: str, status: int) -> dict[str, Any]:
    """What a `ToldAnswer` keeps of a body, whole or streamed; nothing if it is neither an answer nor an error."""
    found: dict[str, Any] = {}
    content = []
    for piece in _pieces(text):
        if isinstance(error := piece.get("error"), dict) and isinstance(error.get("message"), str):
            return {"code": str(error.get("code") or error.get("type") or "")}
        if isinstance(laar := piece.get("laar"), dict):
            found["request_id"] = str(laar["request_id"]).partition(".")[0]
            found["is_verified"] = laar["verified"] is True
            found["attempts"] = tuple((attempt["model"], attempt["verdict"]) for attempt in laar["attempts"])
        for choice in piece.get("choices", ()):
            content.append((choice.get("message") or choice.get("delta") or {}).get("content") or "")
    if status == 200 and not found:
        return {"code": "no_answer"}
    return found | {"is_right": RIGHT in "".join(content)} if found else {}


def _pieces(text: str) -> Iterator[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")] or [text]
    for line in lines:
        try:
            piece = json.loads(line)
        except ValueError:
            continue
        if isinstance(piece, dict):
            yield piece
