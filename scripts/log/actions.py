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
from sqlalchemy.exc import SQLAlchemyError

from deployments.engines.embedded import default_cache_dir
from deployments.log.database.store import Store
from deployments.log.reading.attempts import Filter, list_attempts
from deployments.log.reading.chains import Chain, ttcas_s
from deployments.log.reading.lessons import last_position
from deployments.log.reading.queries import (
    Accuracy,
    LoggedArrivals,
    accuracy,
    arrivals,
    new_attempts,
    request_chains,
    requests_like,
)
from deployments.log.settings import SQLITE, database_url, default_url
from deployments.log.writing.flusher import PRUNE_BATCH
from deployments.router.attempt.tries import Status
from deployments.router.choice.policy import PolicyName
from scripts.tables import Column, print_json, print_table

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
        print_json(rows)
        return
    print_table(attempt_columns(rows))


def show_request(store: Store, request_id: str, *, as_json: bool) -> None:
    """One request with its attempts; ValueError if the log has none of that id, or several that begin so."""
    plain, _, _ = request_id.partition(".")
    with store.engine.connect() as connection:
        found = requests_like(connection, f"laar-{plain.removeprefix('laar-').replace('-', '').lower()}")
    if len(found) != 1:
        what = "no request has" if not found else f"{len(found)} requests or more have"
        raise ValueError(f"{what} an id that begins with '{request_id}'")
    (request,) = found
    if as_json:
        print_json(request)
        return
    for name, value in request.items():
        if name != "attempts" and value is not None:
            print(f"{name:14} {value}")
    print()
    print_table(attempt_columns(request["attempts"]))


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
        print_json({"accuracy": [asdict(cell) for cell in cells], "ttca": ttca, "arrivals": asdict(came)})
        return
    print_table(_accuracy_columns(cells), title="accuracy")
    print_table(_ttca_columns(ttca), title="Time-to-Correct-Answer")
    title = f"{came.num_requests} requests in {came.window_s:.0f} s: {came.rate_per_s:.4g} per second"
    print_table(_arrival_columns(came), title=title)


def prune(store: Store, older_than: str, *, as_json: bool) -> None:
    before = moment(older_than, _now())
    count = sum(iter(lambda: store.prune(before, batch=PRUNE_BATCH), 0))
    if as_json:
        print_json({"before": before, "rows": count})
    else:
        print(f"{count} rows from before {before:%F %T} deleted")


def migrate(store: Store) -> None:
    store.migrate()
    print(f"the tables in {store.engine.url.render_as_string(hide_password=True)} are up to date")


def _url(url: str | None, from_environment: str, *, needs_tables: bool) -> str:
    """The database; one that is a file must be there, as opening it would make it."""
    found = url or from_environment or default_url(default_cache_dir(os.environ))
    parsed = database_url(found)
    if needs_tables and parsed.get_backend_name() == SQLITE and not Path(str(parsed.database)).is_file():
        raise ValueError(f"there is no attempt log at {parsed.database}; LAAR_LOG_URL names another one")
    return found


def _failure(command: str, message: str) -> typer.Exit:
    typer.echo(f"{command}: {message}", err=True)
    return typer.Exit(1)


def _now() -> datetime:
    return datetime.now(UTC)


def attempt_columns(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """A row for each attempt; the id is whole, as other commands take it."""

    def column(title: str, rank: int, name: str) -> Column:
        return Column(title=title, rank=rank, cells=[str(row[name] or "") for row in rows])

    return [
        Column(title="time (UTC)", rank=3, cells=[f"{row['arrived_at']:%F %T}" for row in rows]),
        Column(title="request", rank=0, cells=[row["request_id"].removeprefix("laar-") for row in rows]),
        Column(title="try", rank=6, cells=[str(row["attempt_index"] + 1) for row in rows], is_number=True),
        column("model", 0, "model"),
        column("task", 8, "task"),
        column("lang", 5, "language"),
        column("bucket", 9, "bucket"),
        column("verdict", 0, "verdict"),
        column("now", 7, "outcome"),
        column("reason", 2, "reason"),
        Column(title="latency", rank=1, cells=[f"{row['latency_s']:.2f} s" for row in rows], is_number=True),
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


def _accuracy_columns(cells: Sequence[Accuracy]) -> list[Column]:
    return [
        Column(title="model", rank=0, cells=[cell.model for cell in cells]),
        Column(title="lang", rank=0, cells=[cell.language for cell in cells]),
        Column(title="bucket", rank=3, cells=[cell.bucket for cell in cells]),
        Column(title="correct", rank=2, cells=[str(cell.correct) for cell in cells], is_number=True),
        Column(title="of", rank=1, cells=[str(cell.tried) for cell in cells], is_number=True),
        Column(title="accuracy", rank=0, cells=[f"{cell.correct / cell.tried:.2f}" for cell in cells], is_number=True),
        Column(title="95 % interval", rank=4, cells=[f"{cell.low:.2f} to {cell.high:.2f}" for cell in cells]),
    ]


def _ttca_columns(ttca: Mapping[str, Any]) -> list[Column]:
    def seconds(name: str) -> str:
        return f"{ttca[name]:.2f} s" if ttca[name] is not None else "-"

    return [
        Column(title="requests", rank=2, cells=[str(ttca["requests"])], is_number=True),
        Column(title="with retries as one", rank=3, cells=[str(ttca["chains"])], is_number=True),
        Column(title="solved", rank=1, cells=[str(ttca["solved"])], is_number=True),
        Column(title="mean TTCA", rank=0, cells=[seconds("mean_s")], is_number=True),
        Column(title="p50", rank=0, cells=[seconds("p50_s")], is_number=True),
        Column(title="p95", rank=0, cells=[seconds("p95_s")], is_number=True),
    ]


def _arrival_columns(came: LoggedArrivals) -> list[Column]:
    return [
        Column(title="task", rank=0, cells=list(came.task_shares)),
        Column(title="share", rank=0, cells=[f"{share:.3f}" for share in came.task_shares.values()], is_number=True),
    ]
