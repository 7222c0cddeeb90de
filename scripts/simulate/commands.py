"""The options of `laar simulate`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.options import SEED_HELP, JsonPath

if TYPE_CHECKING:
    from profiles.profile import Profile
    from scripts.simulate.settings import SimulationSettings

simulate = typer.Typer(
    no_args_is_help=True, help="Simulate a cluster that is not there: what a policy brings, how many replicas it takes."
)


class Setting(StrEnum):
    """Settings that ship with laar."""

    PAPER = "paper"


class Measure(StrEnum):
    MEAN = "mean"
    P95 = "p95"


Config = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="YAML file of cluster and traffic.")]
ProfileName = Annotated[str | None, typer.Option("--profile", help="A profile's path or name.")]
Replicas = Annotated[
    list[str] | None,
    typer.Option(metavar="MODEL=N", help="Replicas of a model, repeated; models not named are left out."),
]
Rate = Annotated[float | None, typer.Option(help="Poisson arrivals per second.")]
Clients = Annotated[int | None, typer.Option(min=1, help="Instead of --rate: clients that each wait for an answer.")]
Trace = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="Instead of --rate: a file of arrival times in seconds, one a line."
    ),
]
Requests = Annotated[int | None, typer.Option(min=1, help="Requests to simulate; a trace is simulated whole.")]
Cap = Annotated[int | None, typer.Option(min=1, help="Most attempts of a request.")]
Seed = Annotated[int | None, typer.Option(min=0, help=SEED_HELP)]
# A plan simulates dozens of clusters.
_PLAN_REQUESTS = 5000
_MOST_COST = 1e9


def _time(value: float) -> float:
    if not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value}; a finite number above 0 is wanted")
    return value


def _share(value: float | None) -> float | None:
    # also what is not a number
    if value is not None and not 0 <= value <= 1:
        raise typer.BadParameter(f"{value}; a number from 0 to 1 is wanted")
    return value


@simulate.command("run")
def simulate_run(
    config: Config = None,
    setting: Annotated[Setting | None, typer.Option(help="Instead of --config: settings that ship with laar.")] = None,
    profile: ProfileName = None,
    replicas: Replicas = None,
    policy: Annotated[list[str] | None, typer.Option(help="A policy to simulate, repeated; else several.")] = None,
    rate: Rate = None,
    concurrency: Clients = None,
    trace: Trace = None,
    requests: Requests = None,
    cap: Cap = None,
    seed: Seed = None,
    json_path: JsonPath = None,
) -> None:
    """TTCA, success, attempts, load, TTFT and TPOT by policy, on the same traffic with the same luck."""
    from rich.console import Console

    from scripts.simulate.run import run
    from scripts.simulate.settings import SettingsError
    from scripts.simulate.tables import engine_table, paper_table, run_table

    changes = _changes(profile, replicas, rate, concurrency, trace, requests, cap, seed)
    try:
        settings, known = _read(config, setting, changes | {"policies": policy or None})
        found = run(settings, known)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    console = Console()
    console.print(run_table(found, f"{settings.requests} requests, {settings.profile}"))
    console.print(engine_table(found))
    if known.measured.assumed:
        console.print("simulated from a profile with assumed figures, not measured ones")
    if setting is Setting.PAPER:
        console.print(paper_table(found))
    _write(json_path, settings, known, {"policies": [asdict(one) for one in found]})


@simulate.command("plan")
def simulate_plan(
    target_s: Annotated[
        float, typer.Option(callback=_time, help="Time to the right answer that is to be reached, in seconds.")
    ],
    measure: Annotated[
        Measure,
        typer.Option(
            help="The figure that must reach it, over requests that can be answered; unsolved ones are charged."
        ),
    ] = Measure.MEAN,
    min_success: Annotated[
        float | None,
        typer.Option(callback=_share, help="Share of requests to be solved; else 99 % of what all models solve idle."),
    ] = None,
    cost: Annotated[
        list[str] | None, typer.Option(metavar="MODEL=COST", help="Cost of a replica, repeated; else 1.")
    ] = None,
    max_replicas: Annotated[int, typer.Option(min=1, max=1000, help="Most replicas of a model.")] = 64,
    config: Config = None,
    setting: Annotated[Setting | None, typer.Option(help="Instead of --config: settings that ship with laar.")] = None,
    profile: ProfileName = None,
    policy: Annotated[str | None, typer.Option(help="The policy to plan for; else the file's first, or laar.")] = None,
    rate: Rate = None,
    concurrency: Clients = None,
    trace: Trace = None,
    requests: Requests = None,
    cap: Cap = None,
    seed: Seed = None,
    json_path: JsonPath = None,
) -> None:
    """Find the cheapest replicas that reach a time to the right answer; the exit status is 1 if none do.

    All keys of a file count, but only the names of its `replicas` and the first of its `policies`. Without --requests,
    5000 requests are simulated.
    """
    from rich.console import Console

    from scripts.simulate.planning import NoPlan, plan
    from scripts.simulate.settings import SettingsError
    from scripts.simulate.tables import plan_table
    from scripts.simulate.trials import PlanTarget

    changes = _changes(profile, None, rate, concurrency, trace, requests, cap, seed)
    target = PlanTarget(measure=measure.value, limit_s=target_s, max_replicas=max_replicas, min_success=min_success)
    prices = {name: _number(value) for name, value in _pairs(cost).items()}
    try:
        settings, known = _read(
            config, setting, changes | {"policies": policy and [policy]}, defaults={"requests": _PLAN_REQUESTS}
        )
        found = plan(settings, known, target, prices)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    console = Console()
    if isinstance(found, NoPlan):
        console.print(f"simulated: {found.why}")
        _write(json_path, settings, known, {"target": asdict(target), "plan": None, **asdict(found)})
        raise typer.Exit(1)
    console.print(plan_table(found, target))
    console.print(
        f"simulated for {settings.policies[0]} with {settings.requests} requests: success {found.success:.3f} "
        f"(at least {found.min_success:.3f} is wanted), {found.attempts:.2f} attempts a request; on idle engines "
        f"{found.idle_s:.3g} s; {found.simulated} clusters tried"
    )
    _write(json_path, settings, known, {"target": asdict(target), "plan": asdict(found)})


def _read(
    config: Path | None, setting: Setting | None, changes: dict[str, Any], defaults: dict[str, Any] | None = None
) -> "tuple[SimulationSettings, Profile]":
    from pydantic import ValidationError

    from profiles.profile import load_profile
    from scripts.simulate.settings import PACKAGED, SettingsError, load_settings, settings_of

    if config is not None and setting is not None:
        raise SettingsError("--config or --setting, not both")
    if setting is not None and changes["profile"] is not None:
        raise SettingsError(f"--setting {setting.value} has a profile of its own; drop --profile")
    path = config if setting is None else PACKAGED / f"{setting.value}.yaml"
    settings = (
        settings_of({}, changes, defaults=defaults) if path is None else load_settings(path, changes, defaults=defaults)
    )
    try:
        return settings, load_profile(settings.profile)
    except (FileNotFoundError, ValidationError) as error:
        raise SettingsError(f"profile: {error}") from error


def _changes(
    profile: str | None,
    replicas: list[str] | None,
    rate: float | None,
    concurrency: int | None,
    trace: Path | None,
    requests: int | None,
    cap: int | None,
    seed: int | None,
) -> dict[str, Any]:
    return {
        "profile": profile,
        "replicas": _pairs(replicas) or None,
        "rate_per_s": rate,
        "concurrency": concurrency,
        "trace": trace,
        "requests": requests,
        "cap": cap,
        "seed": seed,
    }


def _pairs(values: Sequence[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values or ():
        name, equals, number = value.rpartition("=")
        if not equals or not name:
            raise typer.BadParameter(f"'{value}'; MODEL=NUMBER is wanted")
        if name in found:
            raise typer.BadParameter(f"'{value}'; {name} has been given {found[name]} before")
        found[name] = number
    return found


def _number(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 1 / _MOST_COST <= number <= _MOST_COST:
        raise typer.BadParameter(f"--cost: '{value}'; a number from {1 / _MOST_COST:g} to {_MOST_COST:g} is wanted")
    return number


def _write(json_path: Path | None, settings: "SimulationSettings", profile: "Profile", figures: dict[str, Any]) -> None:
    if json_path is None:
        return
    head = {
        "simulated": True,
        "assumed": profile.measured.assumed,
        "settings": settings.model_dump(mode="json"),
    }
    json_path.write_text(json.dumps({**head, **figures}, indent=2, allow_nan=False) + "\n")
