"""`laar bench overload`: two keys, one of which sends five times what the models can serve."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.bench.chaos.application import document, started
from scripts.bench.chaos.traffic import FaultTraffic, ToldAnswer
from scripts.report import Bar, Report, quantile

PLACES, QUEUED = 32, 8
ENGINE_S = 2.0
CAPACITY_PER_S = PLACES / ENGINE_S
TIMES = 5.0
# what the other key sends: an eighth of what can be served
MODEST_PER_S = CAPACITY_PER_S / 8
DEADLINE_S = 10.0
WARM_S = 5.0
MODEST, GREEDY = 0, 1
MOST_OF_OTHER, MOST_OF_ACCEPTED, AT_ONCE_S = 1.5, 2.0, 0.1


def run(*, seconds: float, alone_s: float) -> Report:
    with TemporaryDirectory(prefix="laar-overload-") as name:
        folder = Path(name)
        config = document(
            folder,
            database_url=f"sqlite:///{folder}/attempts.sqlite",
            engine_s=ENGINE_S,
            accuracy=1.0,
            routers=1,
            limits={"max_concurrent_requests": PLACES, "max_queued_per_key": QUEUED},
        )
        with started(folder, config) as application:
            traffic = FaultTraffic(application.url, application.keys, deadline_s=DEADLINE_S)
            alone, together = asyncio.run(_load(traffic, seconds=seconds, alone_s=alone_s))
    parameters = {
        "seconds": seconds,
        "places": PLACES,
        "queued_per_key": QUEUED,
        "engine_s": ENGINE_S,
        "greedy_per_s": TIMES * CAPACITY_PER_S,
        "modest_per_s": MODEST_PER_S,
    }
    found = figures(alone, together, seconds)
    return Report(bench="overload", parameters=parameters, figures=found, bars=bars(found))


async def _load(traffic: FaultTraffic, *, seconds: float, alone_s: float) -> tuple[list[ToldAnswer], list[ToldAnswer]]:
    """The answers of the modest key alone, and those of both keys."""
    async with traffic.session() as session:
        await traffic.paced(session, tenant=MODEST, per_s=MODEST_PER_S, seconds=WARM_S)
        traffic.answers.clear()
        await traffic.paced(session, tenant=MODEST, per_s=MODEST_PER_S, seconds=alone_s)
        alone = list(traffic.answers)
        traffic.answers.clear()
        await asyncio.gather(
            traffic.paced(session, tenant=MODEST, per_s=MODEST_PER_S, seconds=seconds),
            traffic.paced(session, tenant=GREEDY, per_s=TIMES * CAPACITY_PER_S, seconds=seconds),
        )
    return alone, list(traffic.answers)


def figures(alone: Sequence[ToldAnswer], together: Sequence[ToldAnswer], seconds: float) -> dict[str, Any]:
    modest = [a for a in together if a.tenant == MODEST]
    greedy = [a for a in together if a.tenant == GREEDY]
    accepted = [a for a in greedy if a.is_ok]
    refused = [a for a in greedy if a.status == 429 and a.code]
    return {
        "alone": _summary(alone),
        "modest": _summary(modest),
        "greedy_accepted": _summary(accepted),
        "greedy_refused": _summary(refused),
        "modest_failed": sum(not a.is_ok for a in (*alone, *modest)),
        "greedy_failed_otherwise": len(greedy) - len(accepted) - len(refused),
        "accepted_per_s": len(accepted) / seconds,
    }


def _summary(answers: Sequence[ToldAnswer]) -> dict[str, float]:
    taken_s = [a.took_s for a in answers] or [float("nan")]
    return {"requests": len(answers), "p50_s": quantile(taken_s, 0.5), "p99_s": quantile(taken_s, 0.99)}


def bars(found: dict[str, Any]) -> list[Bar]:
    alone_s = found["alone"]["p99_s"]
    other, accepted = found["modest"]["p99_s"] / alone_s, found["greedy_accepted"]["p99_s"] / alone_s
    refused_s = found["greedy_refused"]["p99_s"]
    return [
        Bar(name="the modest key's p99 over that alone", value=other, limit=MOST_OF_OTHER, kind="max"),
        Bar(name="the modest key's failures", value=found["modest_failed"], limit=0, kind="max"),
        Bar(name="p99 of accepted over that alone", value=accepted, limit=MOST_OF_ACCEPTED, kind="max"),
        Bar(name="p99 of refusals, s", value=refused_s, limit=AT_ONCE_S, kind="max"),
        Bar(name="neither answered nor refused", value=found["greedy_failed_otherwise"], limit=0, kind="max"),
    ]
