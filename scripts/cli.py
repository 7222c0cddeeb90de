"""The `laar` command."""

import os
from pathlib import Path
from typing import Annotated

import typer

from scripts.bench.commands import bench
from scripts.log.commands import log
from scripts.options import file_to_write
from scripts.profile.commands import profile
from serve_app.environment import prepare_environment

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(bench, name="bench")
app.add_typer(log, name="log")
app.add_typer(profile, name="profile")


@app.callback()
def main_options() -> None:
    """Accuracy-aware LLM serving on Ray Serve."""
    prepare_environment(os.environ)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the table.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", callback=file_to_write, help="Write the report to this file.")
    ] = None,
    port: int = 8000,
) -> None:
    """Start the embedded models, ask the demo questions and print who answered them."""
    from scripts.demo import run_demo

    raise typer.Exit(run_demo(once=once, json_path=json_path, port=port))


@app.command()
def allocate(
    types: Annotated[Path, typer.Argument(help="YAML file of task types, traffic and server.")],
    arrivals: Annotated[str | None, typer.Option(help="Comma-separated arrivals/s instead of the file's.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw J around the best budgets into this PNG file.")] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Check the mean time by simulation.")] = False,
    requests: Annotated[int, typer.Option(min=1000, max=50_000_000, help="Requests to simulate per load.")] = 400_000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Thinking-token budgets by task type: the most correct answers for the least waiting."""
    from rich.console import Console

    from deployments.thinking.problem import ProblemError
    from scripts.allocate import Plan, run_allocate
    from scripts.thinking_types import TypesError, read_types

    for option, path in (("--json", json_path), ("--plot", plot)):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder '{path.parent}'", param_hint=option)
    if plot is not None and plot.suffix != ".png":
        raise typer.BadParameter(f"'{plot}'; a name that ends in .png is wanted", param_hint="--plot")
    try:
        stated = read_types(types)
        loads = _loads(arrivals) if arrivals is not None else (stated.arrivals_per_s,)
        if plot is not None and len(loads) > 1:
            raise typer.BadParameter(f"{len(loads)} loads given; a plot is of one", param_hint="--plot")
        plan = Plan(types=stated, arrivals_per_s=loads, requests=requests if simulate else 0, seed=seed)
        run_allocate(plan, json_path=json_path, plot_path=plot, console=Console())
    except (TypesError, ProblemError) as err:
        raise typer.BadParameter(f"{types}: {err}", param_hint="TYPES") from err


def _loads(arrivals: str) -> tuple[float, ...]:
    try:
        loads = tuple(float(load) for load in arrivals.split(","))
    except ValueError:
        loads = ()
    if not loads or not all(0 < load < float("inf") for load in loads):
        raise typer.BadParameter(
            f"'{arrivals}'; numbers above 0 with commas between are wanted", param_hint="--arrivals"
        )
    return loads


def main() -> None:
    app()


if __name__ == "__main__":
    main()
