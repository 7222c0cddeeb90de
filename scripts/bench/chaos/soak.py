"""`laar bench soak`: for long at a part of what can be served; memory, errors and tasks that stay behind."""

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from scripts.bench.chaos.application import APP, Application, command_of, document, started
from scripts.bench.chaos.judged import ends_rightly
from scripts.bench.chaos.traffic import FaultTraffic
from scripts.report import Bar, Report

DEADLINE_S = 10.0
ENGINE_S = 0.1
IN_FLIGHT, CAPACITY_S = 32, 15.0
# until the caches that have a bound have reached it
WARM_SHARE = 0.4
TASKS = "laar_router_tasks"
# of both ends; Ray's node collects metrics once in 10 s
LOOKS, LOOK_S = 4, 5.0
MOST_GROWTH = 0.02
_REPLICA = re.compile(rf"ServeReplica:{APP}:(\S+)")
Sizes = Mapping[str, int]


def run(*, minutes: float, share: float) -> Report:
    with TemporaryDirectory(prefix="laar-soak-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/attempts.sqlite"
        with started(folder, document(folder, database_url=url, engine_s=ENGINE_S)) as application:
            found = asyncio.run(_soak(application, minutes, share))
    parameters = {"minutes": minutes, "share": share, "warm_share": WARM_SHARE}
    return Report(bench="soak", parameters=parameters, figures=found, bars=bars(found))


async def _soak(application: Application, minutes: float, share: float) -> dict[str, Any]:
    traffic = FaultTraffic(application.url, application.keys, deadline_s=DEADLINE_S)
    async with traffic.clients(IN_FLIGHT):
        await asyncio.sleep(CAPACITY_S)
        began_s = time.monotonic()
        await asyncio.sleep(CAPACITY_S)
        served = [a for a in traffic.answers if a.ended_s >= began_s]
        capacity_per_s = len(served) / (time.monotonic() - began_s)
    per_s = share * capacity_per_s
    traffic.answers.clear()
    async with traffic.session() as session:

        async def load(seconds: float) -> None:
            both = (traffic.paced(session, tenant=tenant, per_s=per_s / 2, seconds=seconds) for tenant in (0, 1))
            await asyncio.gather(*both)

        await load(60 * minutes * WARM_SHARE)
        before, tasks_before = await _look(application)
        await load(60 * minutes * (1 - WARM_SHARE))
        after, tasks_after = await _look(application)
    return {
        "capacity_per_s": capacity_per_s,
        "per_s": per_s,
        "requests": len(traffic.answers),
        "failed": sum(not a.is_ok for a in traffic.answers),
        "wrong_endings": sum(not ends_rightly(a) for a in traffic.answers),
        "rss_bytes": {name: {"before": size, "after": after.get(name)} for name, size in before.items()},
        "rss_growth": growth(before, after),
        "tasks_before": tasks_before,
        "tasks_after": tasks_after,
    }


async def _look(application: Application) -> tuple[Sizes, float]:
    """Memory of each process, and the fewest asyncio tasks of all routers, while no request is under way."""
    sizes: dict[str, list[int]] = {}
    tasks = []
    # what is exported may be of a time when requests were under way
    await asyncio.sleep(3 * LOOK_S)
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_S)
        tasks.append(await asyncio.to_thread(application.metric, TASKS))
        for name, size in _sizes(application).items():
            sizes.setdefault(name, []).append(size)
    return {name: round(median(found)) for name, found in sizes.items()}, min(tasks)


def _sizes(application: Application) -> Sizes:
    """By the deployment and the process; HAProxy is the one that answers clients."""
    found = {}
    for process in application.all():
        command = command_of(process)
        role = match[1] if (match := _REPLICA.search(command)) else "haproxy" if "haproxy" in command else None
        if role is not None:
            try:
                found[f"{role} {process.pid}"] = int(process.memory_info().rss)
            except psutil.Error:
                continue
    return found


def growth(before: Sizes, after: Sizes) -> dict[str, float]:
    """By how much of its size each process has grown; infinitely where it has gone, as it was not to end."""
    return {name: after[name] / size - 1 if name in after else float("inf") for name, size in before.items()}


def bars(found: Mapping[str, Any]) -> list[Bar]:
    growths = found["rss_growth"]
    return [
        *(
            Bar(name=f"{n}: growth of RSS", value=g, limit=MOST_GROWTH, kind="max")
            for n, g in found["rss_growth"].items()
        ),
        Bar(name="processes watched", value=len(growths), limit=1, kind="min"),
        Bar(name="failed", value=found["failed"], limit=0, kind="max"),
        Bar(name="wrong endings", value=found["wrong_endings"], limit=0, kind="max"),
        Bar(name="tasks seen", value=found["tasks_before"], limit=1, kind="min"),
        Bar(name="tasks left behind", value=found["tasks_after"] - found["tasks_before"], limit=0, kind="max"),
    ]
