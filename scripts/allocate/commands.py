"""The options of `laar allocate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.options import LOG_URL_ENV, SEED_HELP, JsonPath, png_to_write

if TYPE_CHECKING:
    from scripts.allocate.thinking_types import ThinkingTypes
    from scripts.allocate.types import BudgetRequest, TypeTraffic

DEFAULT_WINDOW, DEFAULT_WORTH_S = "1h", 30.0
Loads = tuple[float, ...]


def allocate(
    types: Annotated[Path | None, typer.Argument(help="YAML file of task types, traffic and server.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Instead of TYPES: a profile, path or name, whose thinking curves are the types.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --profile: the model to plan for, if several have curves.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(help=f"With --profile: how much of the log counts, {DEFAULT_WINDOW} by default.")
    ] = None,
    log_url: Annotated[
        str | None, typer.Option(help="With --profile: the log's database; else what --url-env names.")
    ] = None,
    url_env: Annotated[
        str | None, typer.Option(help=f"With --profile: variable with the log's URL, {LOG_URL_ENV} by default.")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, help="With --profile: replicas that share the logged arrivals; 1 by default.")
    ] = None,
    worth_s: Annotated[
        float | None, typer.Option(help="With --profile: seconds that a correct answer is worth; 30 by default.")
    ] = None,
    max_attempts: Annotated[
        int | None, typer.Option(help="With --profile: tries of a request on the model; 1 by default.")
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(help="With --profile: requests that the engine serves at once; 1 means one after another."),
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(help="Comma-separated arrivals/s; with --profile the log is not read.")
    ] = None,
    json_path: JsonPath = None,
    plot: Annotated[
        Path | None, typer.Option(callback=png_to_write, help="Draw J around the best budgets into this PNG file.")
    ] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Check the mean time by simulation.")] = False,
    requests: Annotated[int, typer.Option(min=1000, max=50_000_000, help="Requests to simulate per load.")] = 400_000,
    seed: Annotated[int, typer.Option(min=0, help=SEED_HELP)] = 0,
) -> None:
    """Thinking-token budgets by task type: the most correct answers for the least waiting."""
    from rich.console import Console

    from deployments.budgets.problem import ProblemError
    from scripts.allocate.allocate import BudgetPlan, run_allocate
    from scripts.allocate.thinking_types import TypesError
    from scripts.allocate.types import BudgetRequest

    if (types is None) == (profile is None):
        raise typer.BadParameter("either a file of types or --profile is wanted", param_hint="TYPES or --profile")
    loads = _loads(arrivals) if arrivals is not None else ()
    if plot is not None and len(loads) > 1:
        raise typer.BadParameter(f"{len(loads)} loads given; a plot is of one", param_hint="--plot")
    of_log = {"--window": window, "--log-url": log_url, "--url-env": url_env, "--replicas": replicas}
    of_profile = {"--model": model, "--worth-s": worth_s, "--max-attempts": max_attempts, "--slots": slots}
    try:
        if profile is None:
            _refuse(of_log | of_profile, "goes with --profile; the file of types says it itself")
            assert types is not None
            stated, loads, origin = _from_file(types, loads)
        else:
            if loads:
                _refuse(of_log, "is about the log, which is not read with --arrivals")
            wish = BudgetRequest(
                worth_s=DEFAULT_WORTH_S if worth_s is None else worth_s,
                max_attempts=1 if max_attempts is None else max_attempts,
                slots=1 if slots is None else slots,
            )
            log = (log_url, url_env or LOG_URL_ENV, window or DEFAULT_WINDOW, replicas or 1)
            stated, loads, origin = _from_profile(profile, model, wish, loads, log)
        plan = BudgetPlan(
            types=stated, origin=origin, arrivals_per_s=loads, requests=requests if simulate else 0, seed=seed
        )
        run_allocate(plan, json_path=json_path, plot_path=plot, console=Console())
    except OSError as err:
        raise typer.BadParameter(f"cannot be written: {err}", param_hint="--json or --plot") from err
    except (TypesError, ProblemError) as err:
        hint = "TYPES" if profile is None else "--profile"
        raise typer.BadParameter(f"{types or profile}: {err}", param_hint=hint) from err


def _from_file(path: Path, loads: Loads) -> "tuple[ThinkingTypes, Loads, str]":
    from scripts.allocate.thinking_types import read_types

    stated = read_types(path)
    origin = f"types and shares as {path} states them"
    return stated, loads or (stated.arrivals_per_s,), origin + (", arrivals given by hand" if loads else "")


def _from_profile(
    source: str, model: str | None, wish: "BudgetRequest", loads: Loads, log: tuple[str | None, str, str, int]
) -> "tuple[ThinkingTypes, Loads, str]":
    from profiles.profile import load_profile
    from scripts.allocate.types import by_hand, profile_types, thinking_model

    try:
        known = load_profile(source)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--profile") from error
    name, thinking = thinking_model(known, model)
    traffic = by_hand(len(thinking.thinking), loads[0]) if loads else _logged(known, name, wish, log)
    stated = profile_types(thinking, known.buckets, traffic.arrivals, wish)
    origin = f"types are the thinking curves of {name} in {source}; {traffic.origin}"
    return stated, loads or (traffic.arrivals.per_s,), origin


def _logged(profile: Any, name: str, wish: "BudgetRequest", log: tuple[str | None, str, str, int]) -> "TypeTraffic":
    from datetime import UTC, datetime

    from deployments.log.database.store import Store
    from scripts.allocate.types import LogWindow, TypeTraffic, logged
    from scripts.log.actions import moment, run

    url, url_env, length, num_replicas = log
    now = datetime.now(UTC)
    try:
        since = moment(length, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--window") from error
    window = LogWindow(since=since, before=now, num_replicas=num_replicas)

    def read(store: Store) -> TypeTraffic:
        with store.engine.connect() as connection:
            return logged(connection, profile, name, window, max_attempts=wish.max_attempts)

    return run(url, url_env, read, command="laar allocate")


def _refuse(options: dict[str, Any], why: str) -> None:
    for option, value in options.items():
        if value is not None:
            raise typer.BadParameter(why, param_hint=option)


def _loads(arrivals: str) -> Loads:
    try:
        loads = tuple(float(load) for load in arrivals.split(","))
    except ValueError:
        loads = ()
    if not loads or not all(0 < load < float("inf") for load in loads):
        raise typer.BadParameter(
            f"'{arrivals}'; numbers above 0 with commas between are wanted", param_hint="--arrivals"
        )
    return loads
