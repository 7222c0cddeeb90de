"""`laar log`: what the attempt log holds, and looking after it."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar, get_args

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from deployments.engines.embedded import default_cache_dir
from deployments.log.database.store import Store
from deployments.log.reading.chains import Chain, ttcas_s
from deployments.log.reading.lessons import last_position
from deployments.log.reading.queries import (
    Accuracy,
    Filter,
    LoggedArrivals,
    accuracy,
    arrivals,
    list_attempts,
    new_attempts,
    request_chains,
)
from deployments.log.settings import SQLITE, database_url, default_url
from deployments.log.writing.flusher import PRUNE_BATCH
from deployments.router.attempt.tries import Status
from deployments.router.choice.policy import PolicyName

T = TypeVar("T")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"(\d{1,9})([smhd])")
FOLLOW_PERIOD_S = 1.0
# requests that are read at once
FOLLOW_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """What a person asked for, with the time as it was typed."""

    model: str | None = None
    task: str | None = None
    language: str | None = None
    verdict: str | None = None
    policy: str | None = None
    since: str | None = None

    def as_filter(self, now: datetime) -> Filter:
        """ValueError for a policy or a verdict that laar does not know, and for a time that cannot be read."""
        _refuse_unknown("policy", self.policy, get_args(PolicyName))
        _refuse_unknown("verdict", self.verdict, [*Status])
        since = moment(self.since, now) if self.since is not None else None
        return Filter(
            model=self.model,
            task=self.task,
            language=self.language,
            verdict=self.verdict,
            policy=self.policy,
            since=since,
        )


def _refuse_unknown(option: str, given: str | None, allowed: Sequence[str]) -> None:
    if given is not None and given not in allowed:
        raise ValueError(f"--{option}: '{given}' is not known; allowed are {', '.join(allowed)}")


def run(
    url: str | None,
    url_env: str,
    act: Callable[[Store], T],
    *,
    needs_tables: bool = True,
    command: str = "laar log",
) -> T:
    """Act on the log's database; what is wrong with it is one line on stderr and the exit status 1."""
    try:
        store = Store(_url(url, os.environ.get(url_env, "").strip(), needs_tables=needs_tables))
        try:
            if needs_tables and not store.is_migrated():
                raise ValueError(
                    "the database has no attempt log of this version; laar log migrate makes the tables or changes them"
                )
            return act(store)
        finally:
            store.close()
    except (ValueError, OSError) as error:
        raise _failure(command, str(error)) from None
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise _failure(command, f"the database: {' '.join(str(cause).split())[:500]}") from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def moment(text: str, now: datetime) -> datetime:
    """A point in time: an age such as 24h, or an ISO date and time, which is taken as UTC without an offset."""
    try:
        if found := _AGE.fullmatch(text):
            return now - timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no time; wanted is 90s, 15m, 24h, 7d or an ISO date") from None


def show_attempts(store: Store, wanted: ListFilter, *, limit: int, as_json: bool) -> None:
    with store.engine.connect() as connection:
        rows = list_attempts(connection, wanted.as_filter(_now()), limit=limit)
    if as_json:
        print(_json(rows))
        return
    table = Table("time (UTC)", "request", "model", "task", "lang", "bucket", "verdict", "now", "reason", "latency")
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)


def follow(store: Store, wanted: ListFilter) -> None:
    """Print for ever what the database gets from now on."""
    with store.engine.connect() as connection:
        position = last_position(connection)
    while True:
        position = show_new(store, wanted, after=position)
        time.sleep(FOLLOW_PERIOD_S)


def show_new(store: Store, wanted: ListFilter, *, after: int) -> int:
    """Print all attempts past a position, page by page, and return the position that the next ones come after."""
    filters = wanted.as_filter(_now())
    while True:
        with store.engine.connect() as connection:
            page = new_attempts(connection, filters, after=after, limit=FOLLOW_PAGE)
        for row in page.attempts:
            print(json.dumps(row, default=str), flush=True)
        after = page.position
        if page.is_last:
            return after


def show_stats(store: Store, wanted: ListFilter, *, as_json: bool) -> None:
    now = _now()
    filters = wanted.as_filter(now)
    assert filters.since is not None
    with store.engine.connect() as connection:
        cells = accuracy(connection, filters)
        found = request_chains(connection, filters)
        came = arrivals(connection, since=filters.since, before=now)
    ttca = _ttca(found)
    if as_json:
        print(_json({"accuracy": [asdict(cell) for cell in cells], "ttca": ttca, "arrivals": asdict(came)}))
        return
    console = Console()
    console.print(_accuracy_table(cells), _ttca_table(ttca), _arrivals_table(came))


def prune(store: Store, older_than: str, *, as_json: bool) -> None:
    before = moment(older_than, _now())
    count = store.prune(before, batch=PRUNE_BATCH)
    print(_json({"before": before, "rows": count}) if as_json else f"{count} rows from before {before:%F %T} deleted")


def migrate(store: Store) -> None:
    store.migrate()
    print(f"the tables in {store.engine.url.render_as_string(hide_password=True)} are up to date")


def _url(url: str | None, from_environment: str, *, needs_tables: bool) -> str:
    """The database; one that is a file must be there, as opening it would make it."""
    found = url or from_environment or default_url(default_cache_dir(os.environ))
    parsed = database_url(found)
    if needs_tables and parsed.get_backend_name() == SQLITE and not Path(str(parsed.database)).is_file():
        raise ValueError(f"there is no attempt log at {parsed.database}")
    return found


def _failure(command: str, message: str) -> typer.Exit:
    typer.echo(f"{command}: {message}", err=True)
    return typer.Exit(1)


def _now() -> datetime:
    return datetime.now(UTC)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['arrived_at']:%F %T}",
        f"{row['request_id'].removeprefix('laar-')[:8]}/{row['attempt_index']}",
        row["model"],
        row["task"],
        row["language"],
        row["bucket"],
        row["verdict"],
        row["outcome"],
        row["reason"],
        f"{row['latency_s']:.2f} s",
    ]


def _ttca(found: Sequence[Chain]) -> dict[str, Any]:
    times_s = ttcas_s(found)
    p50_s, p95_s = np.quantile(times_s, [0.5, 0.95]).tolist() if times_s else (None, None)
    return {
        "requests": sum(chain.num_requests for chain in found),
        "chains": len(found),
        "solved": len(times_s),
        "mean_s": fmean(times_s) if times_s else None,
        "p50_s": p50_s,
        "p95_s": p95_s,
    }


def _accuracy_table(cells: Sequence[Accuracy]) -> Table:
    table = Table("model", "lang", "bucket", "correct", "of", "accuracy", "95 % interval", title="accuracy")
    for cell in cells:
        share, interval = f"{cell.correct / cell.tried:.2f}", f"{cell.low:.2f} to {cell.high:.2f}"
        table.add_row(cell.model, cell.language, cell.bucket, str(cell.correct), str(cell.tried), share, interval)
    return table


def _ttca_table(ttca: Mapping[str, Any]) -> Table:
    table = Table("requests", "with retries as one", "solved", "mean", "p50", "p95", title="Time-to-Correct-Answer")
    times = [f"{ttca[name]:.2f} s" if ttca[name] is not None else "-" for name in ("mean_s", "p50_s", "p95_s")]
    table.add_row(str(ttca["requests"]), str(ttca["chains"]), str(ttca["solved"]), *times)
    return table


def _arrivals_table(came: LoggedArrivals) -> Table:
    title = f"{came.num_requests} requests in {came.window_s:.0f} s: {came.rate_per_s:.4g} per second"
    table = Table("task", "share", title=title)
    for task, share in came.task_shares.items():
        table.add_row(task, f"{share:.3f}")
    return table
