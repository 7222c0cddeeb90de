"""`laar bench attack`: one key attacks a running laar, and what another key's requests and the router notice of it.

Who attacks is a process of its own: in that of the watched client, making the attack's bodies would count as waiting.
"""

import asyncio
import json
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
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
START_TIMEOUT_S = 30.0
# what as many callers as those of an attack do to the other key when they ask for nothing unusual
ORDINARY = "ordinary requests"
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


# is told of each call or connection that it begins
Attack = Callable[[Target, Callable[[], object]], Coroutine[Any, Any, None]]
_SPAWNED = multiprocessing.get_context("spawn")


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

    async def attack(at: Target, begun: Callable[[], object]) -> None:
        headers = {"authorization": f"Bearer {at.attacker}"}
        async with httpx.AsyncClient(base_url=at.url, headers=headers, timeout=TIMEOUT_S) as client:

            async def again() -> None:
                while True:
                    begun()
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

    async def attack(at: Target, begun: Callable[[], object]) -> None:
        data = text(at).encode()

        async def hold() -> None:
            while True:
                begun()
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


def everything(at: Target) -> Mapping[str, Attack]:
    """All attacks by their names, and ordinary requests."""
    return {ORDINARY: _flood(CHAT, chat(at.model)), **attacks(at)}


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


def routers(proc: Path = PROC) -> list[Path]:
    """Where the system tells of each router replica on this machine."""
    found = []
    for directory in proc.glob("[0-9]*"):
        # a process may end meanwhile
        with suppress(OSError):
            if ROUTER.match((directory / "cmdline").read_bytes()):
                found.append(directory)
    return found


def resident_bytes(directory: Path) -> int:
    """The memory of a process; none once it has ended."""
    with suppress(OSError):
        return int((directory / "statm").read_text().split()[1]) * PAGE_BYTES
    return 0


async def _growth_mb(asked: Awaitable[tuple[list[float], float]]) -> tuple[tuple[list[float], float], float]:
    """What was asked, and how much the router that grew most had grown meanwhile; not a number without a router."""
    before = {router: resident_bytes(router) for router in routers()}
    most = 0.0 if before else float("nan")
    watching = asyncio.ensure_future(asked)
    while not (await asyncio.wait((watching,), timeout=0.1))[0]:
        most = max([most, *(resident_bytes(router) - size for router, size in before.items())])
    return watching.result(), most / 1e6


def _attacks_alone(at: Target, name: str, has_begun: Any, begun: Any) -> None:
    """Attack until the process is ended; `begun` counts."""

    def count_one() -> None:
        begun.value += 1
        has_begun.set()

    with suppress(KeyboardInterrupt):
        asyncio.run(everything(at)[name](at, count_one))


async def _under(name: str, at: Target, *, seconds: float, pace_s: float) -> tuple[list[float], float]:
    """What the victim's requests took, and how many calls or connections a second the attacker began meanwhile."""
    has_begun, begun = _SPAWNED.Event(), _SPAWNED.Value("q", 0)
    attacker = _SPAWNED.Process(target=_attacks_alone, args=(at, name, has_begun, begun), daemon=True)
    attacker.start()
    try:
        if not await asyncio.to_thread(has_begun.wait, START_TIMEOUT_S):
            raise RuntimeError(f"the attacker did not begin: {name}")
        await asyncio.sleep(0.5)
        began_s, before = time.perf_counter(), begun.value
        taken_s = await _watch(at, seconds=seconds, pace_s=pace_s)
        return taken_s, (begun.value - before) / (time.perf_counter() - began_s)
    finally:
        attacker.kill()
        await asyncio.to_thread(attacker.join)


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
    """The victim beside ordinary requests, and then under each attack in turn, before each of them for as long alone.

    All times alone are one series: what else the machine does comes and goes, and would be taken for an attack.
    """
    chosen = [ORDINARY, *(name for name in attacks(at) if not only or name in only)]
    alone_s: list[float] = []
    found: dict[str, dict[str, float]] = {}
    for name in chosen:
        alone_s += await _watch(at, seconds=seconds, pace_s=pace_s)
        (taken_s, per_s), growth_mb = await _growth_mb(_under(name, at, seconds=seconds, pace_s=pace_s))
        found[name] = summary(taken_s) | {"router_growth_mb": growth_mb, "attacker_per_s": per_s}
    alone = summary(alone_s)
    parameters = {"seconds": seconds, "pace_s": pace_s, "connections": CONNECTIONS, "calls": CALLS}
    return Report(bench="attack", parameters=parameters, figures={"alone": alone} | found, bars=bars(alone, found))


def bars(alone: Mapping[str, float], found: Mapping[str, Mapping[str, float]]) -> list[Bar]:
    """What must hold of each attack; where ordinary requests miss it too, the machine has no room for the bench."""
    return [
        bar
        for name, of in found.items()
        for bar in (
            Bar(name=f"{name}: p99 later by", value=of["p99_s"] - alone["p99_s"], limit=MOST_SHIFT_S, kind="max"),
            Bar(name=f"{name}: failed", value=of["failed"], limit=0, kind="max"),
            Bar(name=f"{name}: router grew by MB", value=of["router_growth_mb"], limit=MOST_GROWTH_MB, kind="max"),
        )
    ]
