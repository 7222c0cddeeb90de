"""What is broken under load, how it is mended, and how to see that all is as before."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psutil
from sqlalchemy import text

from deployments.log.database.store import Store
from scripts.bench.chaos.application import FIRST, REMOTE_TASK, SECOND, Application, command_of, is_ready
from scripts.bench.chaos.postgres import PostgresServer
from scripts.bench.chaos.switchable import Mode, SwitchableServer

LOST_RECORDS = "laar_log_dropped_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTarget:
    """All that can be broken."""

    application: Application
    postgres: PostgresServer
    store: Store
    remote: SwitchableServer


Step = Callable[[FaultTarget], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`breaks`, then `hold_s` seconds, then `mends`; `is_back` is asked until it says so.

    `task` is that of the requests meanwhile. With `kills_a_router` what it had under way cannot be answered, with
    `fills_the_disk` the log may lose what it counts as lost, with `stops_checks` answers may come unverified.
    """

    name: str
    breaks: Step
    mends: Step
    is_back: Callable[[FaultTarget], bool]
    hold_s: float = 5.0
    task: str = "default"
    kills_a_router: bool = False
    fills_the_disk: bool = False
    stops_checks: bool = False


def faults() -> Sequence[Fault]:
    return (
        Fault(name="an engine replica killed", breaks=_kill(_engine(FIRST), 1), mends=_wait, is_back=_all_run),
        Fault(name="all replicas of a model killed", breaks=_kill(_engine(FIRST), 9), mends=_wait, is_back=_all_run),
        Fault(
            name="an engine replica stopped",
            breaks=_stop(_engine(FIRST)),
            mends=_go_on(_engine(FIRST)),
            is_back=_all_run,
            hold_s=8.0,
        ),
        *(
            Fault(
                name=f"an engine {mode.value}",
                breaks=_switch(mode),
                mends=_switch(Mode.WELL),
                is_back=lambda stage: is_ready(stage.application.url),
                task=REMOTE_TASK,
                hold_s=8.0,
            )
            for mode in Mode
            if mode is not Mode.WELL
        ),
        Fault(
            name="the verifier killed", breaks=_kill("Verifier", 9), mends=_wait, is_back=_all_run, stops_checks=True
        ),
        Fault(
            name="the verifier stopped",
            breaks=_stop("Verifier"),
            mends=_go_on("Verifier"),
            is_back=_all_run,
            hold_s=8.0,
            stops_checks=True,
        ),
        Fault(
            name="one of two routers killed",
            breaks=_kill("Router", 1),
            mends=_wait,
            is_back=_all_run,
            kills_a_router=True,
        ),
        Fault(
            name="the database killed",
            breaks=_off_loop(PostgresServer.kill),
            mends=_off_loop(PostgresServer.start),
            is_back=_db,
        ),
        Fault(
            name="the database silent",
            breaks=_off_loop(PostgresServer.freeze),
            mends=_off_loop(PostgresServer.thaw),
            is_back=_db,
            hold_s=10.0,
        ),
        Fault(name="the database's tables locked", breaks=_lock_tables, mends=_wait, is_back=_db, hold_s=6.0),
        Fault(name="the disk full", breaks=_fill, mends=_wait, is_back=_db, fills_the_disk=True),
    )


def _engine(model: str) -> str:
    return f"ModelServer:{model}"


def _kill(deployment: str, most: int) -> Step:
    async def step(stage: FaultTarget) -> None:
        stage.application.kill(_found(stage, deployment)[:most])

    return step


def _stop(deployment: str) -> Step:
    async def step(stage: FaultTarget) -> None:
        _found(stage, deployment)[0].suspend()

    return step


def _go_on(deployment: str) -> Step:
    async def step(stage: FaultTarget) -> None:
        for process in stage.application.replicas(deployment):
            if process.status() == psutil.STATUS_STOPPED:
                process.resume()

    return step


def _found(stage: FaultTarget, deployment: str) -> list[psutil.Process]:
    if not (found := stage.application.replicas(deployment)):
        raise LookupError(
            f"no replica of {deployment} runs; those that do: {[*map(command_of, stage.application.named('Replica'))]}"
        )
    return found


def _switch(mode: Mode) -> Step:
    async def step(stage: FaultTarget) -> None:
        stage.remote.mode = mode

    return step


def _off_loop(does: Callable[[PostgresServer], None]) -> Step:
    async def step(stage: FaultTarget) -> None:
        await asyncio.to_thread(does, stage.postgres)

    return step


async def _lock_tables(stage: FaultTarget) -> None:
    """Somebody else's session, such as one that changes the tables, is in the way for some seconds."""

    def hold() -> None:
        with stage.store.engine.begin() as connection:
            connection.execute(text("LOCK TABLE requests, attempts, changes IN ACCESS EXCLUSIVE MODE"))
            connection.execute(text("SELECT pg_sleep(5)"))

    await asyncio.to_thread(hold)


async def _fill(stage: FaultTarget) -> None:
    """For as long as it takes that routers write to the disk, some hundred times."""
    with stage.application.full_disk():
        await asyncio.sleep(6)


async def _wait(_stage: FaultTarget) -> None:
    """The application mends it by itself."""


_REPLICAS = {_engine(FIRST): 2, _engine(SECOND): 1, "Router": 2, "Verifier": 1}


def _all_run(stage: FaultTarget) -> bool:
    """Every deployment has its replicas again, and the routers know of them."""
    counts = {name: len(stage.application.replicas(name)) for name in _REPLICAS}
    return counts == _REPLICAS and is_ready(stage.application.url)


def _db(stage: FaultTarget) -> bool:
    with stage.store.engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar_one())
