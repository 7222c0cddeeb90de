"""`laar profile run`: measure the models of a running application, or of one brought up for it, and fit a profile."""

import asyncio
import json
import platform
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from profiles.cell import Cell
from profiles.chances.intervals import wilson
from profiles.measuring.fitting import fit_profile
from profiles.measuring.prompt_set import prompt_set
from profiles.profile import Measured, Profile
from profiles.workloads import Prompt
from scripts.environment import environment
from scripts.profile.display import Display, profile_table, reasons
from scripts.profile.measuring.account import AccountRow, account, as_dict, check_account, total
from scripts.profile.measuring.journal import MeasurementJournal, journal_path
from scripts.profile.measuring.measure import Measurement, find_models
from scripts.profile.measuring.plan import BUCKET_EDGES, Case, ProfileError, ProfilePlan
from scripts.profile.measuring.rounds import AdaptiveRounds, GridRounds, Rounds, check_known, doubts_of
from scripts.profile.saving import save_profile

STOPS = (signal.SIGINT, signal.SIGTERM)
# longer than any deadline that an application has by default
TIMEOUT_S = 600
# below this many prompts the interval of a cell is wider than the differences between models
FEW_PROMPTS = 10
MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the profile goes, with the journal beside it, and where the report, if any."""

    profile: Path
    report: Path | None = None
    fresh: bool = False


def run_profile(
    plan: ProfilePlan,
    prompts: Sequence[Prompt],
    output: Output,
    transport: httpx.AsyncBaseTransport | None = None,
) -> int:
    """The exit status: 0 with a profile of the prompts, 1 where none could be made, 128 + the signal that ended it."""
    received: list[int] = []
    headers = {"Authorization": f"Bearer {plan.api_key}"} if plan.api_key else {}
    client = httpx.AsyncClient(base_url=plan.url, headers=headers, timeout=TIMEOUT_S, transport=transport)
    try:
        asyncio.run(_run(plan, prompts, output, client, received))
    except ProfileError as error:
        print(f"laar profile: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print(f"laar profile: stopped; what was measured is in {journal_path(output.profile)}", file=sys.stderr)
        print("laar profile: the same command goes on with it", file=sys.stderr)
        return 128 + received[0]
    return 0


async def _run(
    plan: ProfilePlan,
    prompts: Sequence[Prompt],
    output: Output,
    client: httpx.AsyncClient,
    received: list[int],
) -> None:
    with _cancelled_by_signals(received):
        async with client:
            models = await find_models(client, plan)
            planned = [c for name in models.names for c in plan.cases(name, prompts, thinks=name in models.thinking)]
            identity = plan.identity() | {"models": list(models.names), "thinking_models": list(models.thinking)}
            with MeasurementJournal(journal_path(output.profile), identity, fresh=output.fresh) as journal:
                check_known(journal, planned)
                with Display(Console(stderr=True)) as display:
                    measurement = Measurement(client, plan, journal, display, planned)
                    await _measure(plan, output, journal, measurement, _rounds(plan, planned))
                _finish(plan, output, journal, measurement)


def _rounds(plan: ProfilePlan, planned: Sequence[Case]) -> Rounds:
    if plan.max_answers is None:
        return GridRounds(planned)
    return AdaptiveRounds(planned, most=plan.max_answers, seed=plan.seed)


async def _measure(
    plan: ProfilePlan, output: Output, journal: MeasurementJournal, measurement: Measurement, rounds: Rounds
) -> None:
    """However it ends, the report tells what became of every prompt until then."""
    if journal.resumed:
        print(f"{len(journal.resumed)} prompts were measured before and are not asked again", file=sys.stderr)
    try:
        await measurement.run(rounds)
    except BaseException as error:
        ended_by = "signal" if isinstance(error, asyncio.CancelledError) else type(error).__name__
        _write_report(plan, output, journal, measurement, None, ended_by=ended_by)
        raise


def _finish(plan: ProfilePlan, output: Output, journal: MeasurementJournal, measurement: Measurement) -> None:
    records = measurement.records()
    if not records:
        rows = account(measurement.cases, journal)
        raise ProfileError(f"no prompt was answered; {'; '.join(reasons(total(rows)['left_out']))}")
    profile = fit_profile(records, bucket_edges=BUCKET_EDGES, measured=_measured(plan, measurement.asked()))
    rows = _write_report(plan, output, journal, measurement, profile, ended_by=None)
    save_profile(profile, output.profile)
    console = Console()
    console.print(profile_table(profile))
    for tally in measurement.tallies.values():
        if tally.failed:
            print(f"{tally} and were left out")
    sums = total(rows)
    for line in reasons(sums["left_out"]):
        print(line)
    if warning := few_prompts(profile):
        print(warning, file=sys.stderr)
    print(
        f"{sums['measured'] + sums['resumed']} answers to {sums['planned']} prompts, {sums['resumed']} of them from "
        f"the journal; profile written to {output.profile}"
    )


def few_prompts(profile: Profile) -> str | None:
    """A warning where cells have too few prompts to tell the models apart; None where all have enough."""
    tried = {cell.cell: cell.tried for model in profile.models.values() for cell in model.cells}
    few = sorted(cell for cell, number in tried.items() if number < FEW_PROMPTS)
    if not few:
        return None
    shown = "; ".join(
        f"{task}, {language}, {profile.buckets.label(bucket)}: {tried[Cell(task, language, bucket)]}"
        for task, language, bucket in few[:MOST_SHOWN]
    )
    more = f"; and {len(few) - MOST_SHOWN} more" if len(few) > MOST_SHOWN else ""
    return (
        f"warning: fewer than {FEW_PROMPTS} prompts in {len(few)} of {len(tried)} cells ({shown}{more}); "
        "their intervals are wide, and 20 or more of each tell models apart"
    )


def _write_report(
    plan: ProfilePlan,
    output: Output,
    journal: MeasurementJournal,
    measurement: Measurement,
    profile: Profile | None,
    *,
    ended_by: str | None,
) -> list[AccountRow]:
    """Account for every prompt, check the sums, and write both where a report is wanted."""
    rows = account(measurement.cases, journal)
    # a run that ended early has not come to the rounds of the journal that it did not repeat
    if ended_by is None:
        check_account(rows, measurement.tallies.values(), journal, profile)
    if output.report is not None:
        report = {
            "ended_by": ended_by,
            "environment": environment(),
            "command": plan.command,
            "plan": plan.identity(),
            "total": total(rows),
            "rows": [as_dict(row) for row in rows],
            "cells": _cells(profile),
            "rounds": len(journal.rounds) or 1,
            "doubts": _doubts(plan, journal, measurement.cases),
        }
        output.report.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return rows


def _cells(profile: Profile | None) -> list[dict[str, Any]]:
    """The profile's cells with Wilson's intervals."""
    models = profile.models.items() if profile else ()
    return [
        {"model": name} | cell.model_dump() | {"interval": wilson(cell.correct, cell.tried)}
        for name, model in models
        for cell in model.cells
    ]


def _doubts(plan: ProfilePlan, journal: MeasurementJournal, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """How sure it is, after all that was asked, which model each cell's requests should go to."""
    return [
        cell._asdict() | {"leader": d.leader, "challenger": d.challenger, "probability_of_another": d.probability}
        for cell, d in doubts_of(cases, journal, seed=plan.seed).items()
    ]


def _measured(plan: ProfilePlan, asked: Iterable[str]) -> Measured:
    where = environment()
    own = ("own prompts",) if plan.own_prompts else ()
    return Measured(
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        hardware=f"{where['processor']}, {where['cores']} logical cores, {platform.machine()}",
        software=where["packages"],
        command=plan.command,
        workloads=(*plan.workloads, *own),
        seed=plan.seed,
        prompts=prompt_set(asked),
        temperature=0,
        prompts_per_cell=plan.prompts_per_cell,
    )


@contextmanager
def _cancelled_by_signals(received: list[int]) -> Iterator[None]:
    """A signal cancels the running task between two lines of the journal; former handlers return afterwards."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(signum: int) -> None:
        received.append(signum)
        task.cancel()

    before = {signum: signal.getsignal(signum) for signum in STOPS}
    for signum in STOPS:
        loop.add_signal_handler(signum, stop, signum)
    try:
        yield
    finally:
        for signum, handler in before.items():
            loop.remove_signal_handler(signum)
            signal.signal(signum, handler)
