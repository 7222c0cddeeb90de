"""`laar bench attack`: one key attacks a running laar, and what another key's requests and the router notice of it."""

import asyncio
import json
import os
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from scripts.report import Bar, Report

MOST_SHIFT_S = 0.1
MOST_GROWTH_MB = 50
# as Ray names the processes of the router's replicas
ROUTER = re.compile(rb"ray::ServeReplica:[^:]*:Router\b")
PROC, PAGE_BYTES = Path("/proc"), os.sysconf("SC_PAGE_SIZE")
CONNECTIONS, CALLS = 400, 8
TIMEOUT_S = 30.0
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
EXPLAIN, FEEDBACK = "/v1/laar/explain", "/v1/laar/feedback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The laar under attack, and the keys of the one who attacks and of the one who is watched."""

    host: str
    port: int
    model: str
    attacker: str
    victim: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


Attack = Callable[[Target], Awaitable[object]]


def target(url: str, *, model: str, attacker: str, victim: str) -> Target:
    """ValueError for a laar that does not run on this machine's own loopback: no other machine may be attacked."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    with suppress(ValueError):
        if ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
            return Target(host=host, port=parts.port or 80, model=model, attacker=attacker, victim=victim)
    raise ValueError(f"'{url}': only a loopback address is attacked, such as http://127.0.0.1:8000")


def chat(model: str = "auto", **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": 'Where is it? <sim answer="at home">'}]
    return {"model": model, "messages": messages, "temperature": 0, **fields}


def _bodies(at: Target) -> Mapping[str, tuple[str, Any]]:
    """Requests that cost more than they seem to, or leave something behind; each is sent again and again."""
    message = {"role": "user", "content": "Hi"}
    never = {"verify": {"type": "exact", "value": "never"}}
    pairs = [[1, n] for n in range(160)]
    return {
        "list in laar.verify": (CHAT, chat(laar={"verify": {"type": "exact", "value": [1] * 1_300_000}})),
        "keys in laar": (CHAT, chat(laar={f"k{i}": 1 for i in range(200_000)})),
        "unknown fields": (CHAT, {f"k{i}": 1 for i in range(250_000)}),
        "parts": (CHAT, chat(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}] * 110_000}])),
        "messages": (CHAT, chat(messages=[message] * 100_000)),
        "expanding values": (CHAT, chat(laar={"verify": {"type": "exact", "value": ["ﷺ" * 10_000] * 6}})),
        "prompts times n": (COMPLETIONS, {"model": at.model, "prompt": ["a"] * 100, "n": 8, "max_tokens": 1}),
        "prompts in explain": (EXPLAIN, {"model": at.model, "prompt": ["a"] * 60_000, "n": 64}),
        "parts without text": (CHAT, chat(at.model, messages=[{"role": "user", "content": [{"type": "text"}]}])),
        "grammar that refers to itself": (CHAT, chat(at.model, structured_outputs={"json": {"$ref": "#"}})),
        "names of the chat template": (CHAT, chat(at.model, chat_template_kwargs={"conversation": 1, "documents": 1})),
        "answers called wrong": (CHAT, chat(laar=never)),
        "held streams": (CHAT, chat(at.model, stream=True, laar=never)),
        "prompts in Japanese": (
            CHAT,
            chat(at.model, messages=[{"role": "user", "content": "東京はどこですか。" * 500}]),
        ),
        "one long prompt": (CHAT, chat(at.model, messages=[{"role": "user", "content": "a word of it " * 5_000}])),
        "long enum": (CHAT, chat(at.model, laar=_schema({"items": {"enum": pairs}}))),
        "feedback with many keys": (FEEDBACK, {f"k{i}": 1 for i in range(250_000)}),
    }


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"verify": {"type": "json_schema", "schema": schema}}


def _calls(call: Callable[[httpx.AsyncClient, Target], Awaitable[object]]) -> Attack:
    """The same call again and again, several at once."""

    async def attack(at: Target) -> None:
        headers = {"authorization": f"Bearer {at.attacker}"}
        async with httpx.AsyncClient(base_url=at.url, headers=headers, timeout=TIMEOUT_S) as client:

            async def again() -> None:
                while True:
                    with suppress(httpx.HTTPError):
                        await call(client, at)
                    await asyncio.sleep(0.05)

            await asyncio.gather(*(again() for _ in range(CALLS)))

    return attack


def _flood(path: str, body: Any) -> Attack:
    data = json.dumps(body, ensure_ascii=False).encode()
    return _calls(lambda client, _: client.post(path, content=data))


def _new_schemas() -> Attack:
    """A schema that no router has seen before, each time."""
    numbers = count()

    async def call(client: httpx.AsyncClient, at: Target) -> None:
        number = next(numbers)
        schema = {"allOf": [{"const": f"{number}-{part}"} for part in range(240)]}
        await client.post(CHAT, json=chat(at.model, laar=_schema(schema)))

    return _calls(call)


async def _call_wrong(client: httpx.AsyncClient, at: Target) -> None:
    """Feedback that the answer just given was wrong."""
    answer = await client.post(CHAT, json=chat(at.model))
    if answer.status_code == 200:
        await client.post(FEEDBACK, json={"request_id": answer.json()["id"], "correct": False})


def _half(text: Callable[[Target], str]) -> Attack:
    """Connections on which the rest never comes."""

    async def attack(at: Target) -> None:
        data = text(at).encode()

        async def hold() -> None:
            while True:
                with suppress(OSError):
                    reader, writer = await asyncio.open_connection(at.host, at.port)
                    writer.write(data)
                    with suppress(OSError):
                        await reader.read()
                    writer.close()
                await asyncio.sleep(1)

        await asyncio.gather(*(hold() for _ in range(CONNECTIONS)))

    return attack


def _stopped(path: str, at: Target, *, sent: int = 1) -> str:
    """A request whose body stops one byte before its announced end."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {at.attacker}\r\n"
    return f"{head}Content-Length: {sent + 1}\r\n\r\n" + "{" * sent


def attacks(at: Target) -> Mapping[str, Attack]:
    """All attacks by their names."""
    return {name: _flood(path, body) for name, (path, body) in _bodies(at).items()} | {
        "new schemas": _new_schemas(),
        "false feedback": _calls(_call_wrong),
        "half-sent headers": _half(lambda _: "GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A: "),
        "one-byte bodies": _half(lambda at: _stopped(CHAT, at)),
        "one-byte bodies to explain": _half(lambda at: _stopped(EXPLAIN, at)),
        # more than HAProxy waits for, so that the router has to
        "40 KB bodies that stop": _half(lambda at: _stopped(CHAT, at, sent=40_000)),
    }


async def _watch(at: Target, *, seconds: float, pace_s: float) -> list[float]:
    """Seconds that each request of the victim took, sent at a steady pace; infinite for one that failed."""
    headers = {"authorization": f"Bearer {at.victim}"}

    async def ask(client: httpx.AsyncClient) -> float:
        began_s = time.perf_counter()
        try:
            response = await client.post(CHAT, json=chat(at.model))
        except httpx.HTTPError:
            return float("inf")
        return time.perf_counter() - began_s if response.status_code == 200 else float("inf")

    async with httpx.AsyncClient(base_url=at.url, headers=headers, timeout=TIMEOUT_S) as client:
        asked = []
        for _ in range(max(1, round(seconds / pace_s))):
            asked.append(asyncio.ensure_future(ask(client)))
            await asyncio.sleep(pace_s)
        return list(await asyncio.gather(*asked))


def resident_bytes(proc: Path = PROC) -> dict[int, int]:
    """The memory of each router replica on this machine, by the id of its process."""
    found: dict[int, int] = {}
    for directory in proc.glob("[0-9]*"):
        # a process may end meanwhile
        with suppress(OSError):
            if ROUTER.match((directory / "cmdline").read_bytes()):
                found[int(directory.name)] = int((directory / "statm").read_text().split()[1]) * PAGE_BYTES
    return found


async def _growth_mb(asked: Awaitable[list[float]]) -> tuple[list[float], float]:
    """What was asked, and how much the router that grew most had grown meanwhile; not a number without a router."""
    before, most = resident_bytes(), float("nan")
    watching = asyncio.ensure_future(asked)
    while not (await asyncio.wait((watching,), timeout=0.1))[0]:
        grown = [now - before[pid] for pid, now in resident_bytes().items() if pid in before]
        most = max([*grown, *([] if most != most else [most])], default=most)
    return watching.result(), most / 1e6


async def _under(attack: Attack, at: Target, *, seconds: float, pace_s: float) -> list[float]:
    running = asyncio.ensure_future(attack(at))
    try:
        await asyncio.sleep(0.5)
        return await _watch(at, seconds=seconds, pace_s=pace_s)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def summary(taken_s: Sequence[float]) -> dict[str, float]:
    """What a series of requests took; failed ones count as infinitely long, and are counted."""
    ranked = sorted(taken_s)
    return {
        "requests": len(ranked),
        "failed": sum(one == float("inf") for one in ranked),
        "p50_s": statistics.median(ranked),
        "p99_s": ranked[min(len(ranked) - 1, int(0.99 * len(ranked)))],
    }


async def run(at: Target, *, seconds: float, pace_s: float, only: Sequence[str] = ()) -> Report:
    """The victim alone, and then under each attack in turn."""
    chosen = {name: attack for name, attack in attacks(at).items() if not only or name in only}
    alone = summary(await _watch(at, seconds=seconds, pace_s=pace_s))
    figures: dict[str, Any] = {"alone": alone}
    bars = []
    for name, attack in chosen.items():
        taken_s, growth_mb = await _growth_mb(_under(attack, at, seconds=seconds, pace_s=pace_s))
        found = figures[name] = summary(taken_s) | {"router_growth_mb": growth_mb}
        bars.append(
            Bar(name=f"{name}: p99 later by", value=found["p99_s"] - alone["p99_s"], limit=MOST_SHIFT_S, kind="max")
        )
        bars.append(Bar(name=f"{name}: failed", value=found["failed"], limit=0, kind="max"))
        bars.append(Bar(name=f"{name}: router grew by MB", value=growth_mb, limit=MOST_GROWTH_MB, kind="max"))
    parameters = {"seconds": seconds, "pace_s": pace_s, "connections": CONNECTIONS, "calls": CALLS}
    return Report(bench="attack", parameters=parameters, figures=figures, bars=bars)
