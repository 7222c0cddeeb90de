"""The `laar` command."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from serve_app.environment import prepare_environment

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
bench = typer.Typer(no_args_is_help=True, help="Measure laar; every bench writes JSON and can be checked.")
app.add_typer(bench, name="bench")

JsonPath = Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")]
Check = Annotated[bool, typer.Option("--check", help="Exit with 1 if a bar falls short.")]


@app.callback()
def main_options() -> None:
    """Accuracy-aware LLM serving on Ray Serve."""
    prepare_environment(os.environ)


@bench.command("decision")
def bench_decision(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=20, help="Times each case is measured.")] = 200,
    seed: int = 0,
) -> None:
    """Features and decision per request: prompts of 100 to 64K tokens, 6 languages, 5 and 50 models."""
    from scripts.bench import decision
    from scripts.bench.report import finish

    raise typer.Exit(finish(decision.run(rounds=rounds, seed=seed), json_path=json_path, check=check))


@bench.command("overhead")
def bench_overhead(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per concurrency; the order alternates.")] = 6,
    requests: Annotated[int, typer.Option(min=50, help="Requests per round.")] = 1500,
) -> None:
    """The same simulated model behind laar and behind Ray's own OpenAiIngress, side by side."""
    from scripts.bench import overhead
    from scripts.bench.report import finish

    raise typer.Exit(finish(overhead.run(rounds=rounds, requests=requests), json_path=json_path, check=check))


@bench.command("allocate")
def bench_allocate(
    json_path: JsonPath = None,
    check: Check = False,
    problems: Annotated[int, typer.Option(min=5, help="Random problems to compare with SciPy.")] = 1000,
    repeats: Annotated[int, typer.Option(min=10, help="Times each size is measured.")] = 100,
    random_starts: Annotated[int, typer.Option(min=0, help="Random starts of SciPy beside four fixed ones.")] = 2,
    seed: int = 0,
) -> None:
    """Thinking budgets: optimum against SciPy, derivatives, rounding, a swing, time and its growth."""
    from scripts.bench import allocate
    from scripts.bench.report import finish

    report = allocate.run(problems=problems, repeats=repeats, random_starts=random_starts, seed=seed)
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the table.")] = False,
    json_path: JsonPath = None,
    port: int = 8000,
) -> None:
    """Start the embedded models, ask the demo questions and print who answered them."""
    from scripts.demo import run_demo

    raise typer.Exit(run_demo(once=once, json_path=json_path, port=port))


@app.command()
def profile(
    out: Annotated[Path, typer.Option(help="Where to write the profile.")],
    url: Annotated[str, typer.Option(help="A running laar application.")] = "http://127.0.0.1:8000",
    languages: Annotated[str, typer.Option(help="Comma-separated ISO 639 codes.")] = "en,de,zh",
    tokens: Annotated[str, typer.Option(help="Comma-separated prompt lengths.")] = "100,300,620",
    prompts: Annotated[int, typer.Option(min=1, help="Prompts per cell.")] = 20,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once per model.")] = 4,
    seed: int = 1,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key to send; unset means none.")
    ] = "LAAR_API_KEY",
) -> None:
    """Measure accuracy, latency and characters per token of every model of a running application."""
    from profiles.workloads import LANGUAGES
    from scripts.profile import ProfilePlan, run_profile

    known = sorted(set.intersection(*map(set, LANGUAGES.values())))
    if unknown := sorted(set(languages.split(",")) - set(known)):
        raise typer.BadParameter(f"{', '.join(unknown)}; known: {', '.join(known)}", param_hint="--languages")
    if not all(count.isdecimal() and int(count) > 0 for count in tokens.split(",")):
        raise typer.BadParameter(f"'{tokens}'; numbers with commas between them are wanted", param_hint="--tokens")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder '{out.parent}'", param_hint="--out")
    plan = ProfilePlan(
        url=url.rstrip("/").removesuffix("/v1"),
        languages=tuple(languages.split(",")),
        target_tokens=tuple(int(count) for count in tokens.split(",")),
        prompts_per_cell=prompts,
        concurrency=concurrency,
        seed=seed,
        command="laar " + " ".join(sys.argv[1:]),
        api_key=os.environ.get(api_key_env, "").strip() or None,
    )
    raise typer.Exit(run_profile(plan, out))


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
