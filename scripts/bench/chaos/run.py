"""`laar bench chaos`: one fault after another under steady verified load, and what clients and the log make of it."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from sqlalchemy import select

from deployments.log.database.store import Store
from deployments.log.database.tables import attempts
from scripts.bench.chaos.application import Application, document, started
from scripts.bench.chaos.faults import LOST_RECORDS, Fault, FaultTarget, faults
from scripts.bench.chaos.judged import (
    MOST_SETTLING_S,
    FaultWindow,
    Told,
    bars,
    compared,
    figures,
    log_bars,
    missing,
)
from scripts.bench.chaos.postgres import PostgresServer
from scripts.bench.chaos.switchable import SwitchableServer
from scripts.bench.chaos.traffic import FaultTraffic, ToldAnswer
from scripts.report import Bar, Report

POSTGRES_PORT = 8126
IN_FLIGHT = 64
DEADLINE_S = 10.0
QUIET_S, AFTER_S = 4.0, 2.0
# Ray's node collects metrics once in 10 s
METRICS_S = 30.0
# the log is given up as it is when nothing more has come for so long, and in any case
SETTLED_S, DRAIN_S = 12.0, 60.0
END = "the end"
HEAD, HEAD_S = "the head restarted", 10.0

console = Console()


def names() -> list[str]:
    return [*(fault.name for fault in faults()), HEAD]


def run(*, only: Sequence[str] = (), in_flight: int = IN_FLIGHT) -> Report:
    """Every fault, or some by their names, on an application of its own."""
    chosen = [fault for fault in faults() if not only or fault.name in only]
    # or all that was started would outlive whoever is told to end
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with TemporaryDirectory(prefix="laar-chaos-") as name:
        return asyncio.run(_run(Path(name), chosen, in_flight, restarts_head=not only or HEAD in only))


async def _run(folder: Path, chosen: Sequence[Fault], in_flight: int, *, restarts_head: bool) -> Report:
    remote = SwitchableServer()
    await remote.start()
    postgres = await asyncio.to_thread(PostgresServer, POSTGRES_PORT)
    await asyncio.to_thread(postgres.start)
    store = Store(postgres.url)
    config = document(folder, database_url=postgres.url, remote_url=remote.url)
    found: dict[str, Any] = {}
    windows: list[FaultWindow] = []
    try:
        async with _application(folder, config) as application:
            stage = FaultTarget(application=application, postgres=postgres, store=store, remote=remote)
            traffic = FaultTraffic(application.url, application.keys, deadline_s=DEADLINE_S)
            async with traffic.clients(in_flight):
                # connections, languages and processes that the first requests begin
                await asyncio.sleep(QUIET_S)
                num_compared = 0
                for fault in chosen:
                    windows.append(window := await _under(fault, stage, traffic))
                    # a run that is cut short has compared the log as far as it came
                    answers = traffic.answers[num_compared:]
                    num_compared += len(answers)
                    log_rows = await asyncio.to_thread(drained, store, answers)
                    of = figures(traffic.answers, window, DEADLINE_S) | compared(answers, log_rows, window)
                    found[fault.name] = of
                    console.print(f"{fault.name}: {of}")
            answers = traffic.answers[num_compared:]
            found[END] = compared(answers, await asyncio.to_thread(drained, store, answers))
            logged = application.logged("the attempt log loses records")
            judged = [*bars(found, windows), *log_bars(END, found[END])]
            if any(window.fills_the_disk for window in windows):
                judged.append(Bar(name="the disk full: errors in the log", value=logged, limit=1, kind="min"))
        if restarts_head:
            spool = folder / "spool"
            config = document(folder, database_url=postgres.url, remote_url=remote.url, spool=spool)
            found[HEAD], head_bars = await _head(folder, config, store, in_flight)
            judged += head_bars
    finally:
        store.close()
        await asyncio.to_thread(postgres.close)
        await remote.close()
    parameters = {"in_flight": in_flight, "deadline_s": DEADLINE_S, "faults": [*found]}
    return Report(bench="chaos", parameters=parameters, figures=found, bars=judged)


@asynccontextmanager
async def _application(folder: Path, config: dict[str, Any]) -> AsyncIterator[Application]:
    """Started and ended in a thread: meanwhile the remote model is asked whether it is there."""
    running = started(folder, config)
    application = await asyncio.to_thread(running.__enter__)
    try:
        yield application
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def _under(fault: Fault, stage: FaultTarget, traffic: FaultTraffic) -> FaultWindow:
    """The fault from a quiet time before it to one after it."""
    traffic.task = fault.task
    quiet_from_s = time.monotonic()
    lost_before = stage.application.metric(LOST_RECORDS) if fault.fills_the_disk else 0.0
    await asyncio.sleep(QUIET_S)
    broken_s = time.monotonic()
    await fault.breaks(stage)
    all_broken_s = time.monotonic()
    await asyncio.sleep(max(0.0, broken_s + fault.hold_s - time.monotonic()))
    await fault.mends(stage)
    mended_s = time.monotonic()
    await until(lambda: fault.is_back(stage), MOST_SETTLING_S)
    back_s = time.monotonic()
    await asyncio.sleep(AFTER_S)
    ended_s = time.monotonic()
    lost = 0.0
    if fault.fills_the_disk:
        await asyncio.sleep(METRICS_S)
        lost = stage.application.metric(LOST_RECORDS) - lost_before
    traffic.task = "default"
    return FaultWindow(
        name=fault.name,
        quiet_from_s=quiet_from_s,
        broken_s=broken_s,
        all_broken_s=all_broken_s,
        mended_s=mended_s,
        back_s=back_s,
        ended_s=ended_s,
        kills_a_router=fault.kills_a_router,
        fills_the_disk=fault.fills_the_disk,
        stops_checks=fault.stops_checks,
        lost=lost,
    )


async def _head(folder: Path, config: dict[str, Any], store: Store, in_flight: int) -> tuple[dict[str, Any], list[Bar]]:
    """The head's control store is killed, and all that it started after it; then it is started again."""
    async with _application(folder, config) as application:
        traffic = FaultTraffic(application.url, application.keys, deadline_s=DEADLINE_S)
        async with traffic.clients(in_flight):
            await asyncio.sleep(QUIET_S + QUIET_S)
            broken_s = time.monotonic()
            # what a dead raylet has started is nobody's child any more
            before = application.all()
            application.kill(application.named("gcs_server"))
            await asyncio.sleep(HEAD_S)
        application.kill([*before, *application.all()])
        # it would wait for a head that has gone
        application.process.kill()
    answers = traffic.answers
    after = [a for a in answers if a.ended_s >= broken_s]
    began_s = time.monotonic()
    async with _application(folder, config) as application:
        ready_s = time.monotonic() - began_s
        log_rows = await asyncio.to_thread(drained, store, answers)
    found = compared(answers, log_rows) | {
        "answered_without_the_head": sum(a.is_ok for a in after),
        "endings_without_the_head": dict(Counter(f"{a.status} {a.code}".strip() for a in after)),
        "latest_over_deadline_s": max((a.took_s - DEADLINE_S for a in after), default=0.0),
        "ready_after_start_s": ready_s,
    }
    return found, [
        *log_bars(HEAD, found),
        Bar(name=f"{HEAD}: ready after, s", value=ready_s, limit=MOST_SETTLING_S, kind="max"),
    ]


async def until(holds: Callable[[], bool], timeout_s: float) -> None:
    due_s = time.monotonic() + timeout_s
    while not await asyncio.to_thread(holds):
        if time.monotonic() > due_s:
            return
        await asyncio.sleep(0.25)


def rows(store: Store) -> Told:
    """The attempts of each request that the database has, in their order."""
    found: dict[str, list[tuple[str, str]]] = {}
    columns = attempts.c
    wanted = select(columns.request_id, columns.model, columns.verdict).order_by(
        columns.request_id, columns.attempt_index
    )
    with store.engine.connect() as connection:
        for request_id, model, verdict in connection.execute(wanted):
            found.setdefault(request_id, []).append((model, verdict))
    return found


def drained(store: Store, answers: Sequence[ToldAnswer]) -> Told:
    """The rows once no more of them come."""
    began_s = changed_s = time.monotonic()
    before = -1
    while True:
        absent, now_s = len(missing(answers, found := rows(store))), time.monotonic()
        if absent != before:
            before, changed_s = absent, now_s
        if not absent or now_s > changed_s + SETTLED_S or now_s > began_s + DRAIN_S:
            return found
        time.sleep(1)
