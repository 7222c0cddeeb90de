"""The `laar` command."""

import os
from pathlib import Path
from typing import Annotated

import typer

from scripts.profile.commands import profile
from serve_app.environment import prepare_environment

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
bench = typer.Typer(no_args_is_help=True, help="Measure laar; every bench writes JSON and can be checked.")
app.add_typer(bench, name="bench")
app.add_typer(profile, name="profile")
log = typer.Typer(no_args_is_help=True, help="Query and look after the attempt log.")
app.add_typer(log, name="log")

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
    requests: Annotated[
        int, typer.Option(min=20_000, max=10_000_000, help="Requests per simulated queue; the plain one has more.")
    ] = 400_000,
    plot: Annotated[
        Path | None, typer.Option(help="Draw J by load, beside simpler budgets, into this PNG file.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Thinking budgets: optimum against SciPy, derivatives, rounding, a swing, time, simulated queues and retries."""
    from scripts.bench import allocate
    from scripts.bench.report import finish

    _require_writable(json_path, plot)
    report = allocate.run(
        problems=problems, repeats=repeats, random_starts=random_starts, requests=requests, seed=seed, plot_path=plot
    )
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("log")
def bench_log(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=20, help="Times each prompt length is measured.")] = 2000,
) -> None:
    """What the attempt log adds to a request: its record, and the write to the journal."""
    from scripts.bench import log as bench_of_log
    from scripts.bench.report import finish

    raise typer.Exit(finish(bench_of_log.run(rounds=rounds), json_path=json_path, check=check))


@bench.command("capability")
def bench_capability(
    train: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Outcomes to fit to: a profiler's journal.")],
    held_out: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Others, of another seed, with new languages or lengths.")
    ],
    json_path: JsonPath = None,
    check: Check = False,
) -> None:
    """How well fitted chances foretell recorded outcomes, beside rates and one logistic regression a model."""
    from scripts.bench import capability
    from scripts.bench.report import finish
    from scripts.profile.plan import BUCKET_EDGES

    report = capability.run(train=train, held_out=held_out, edges=BUCKET_EDGES)
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("drift")
def bench_drift(
    json_path: JsonPath = None,
    check: Check = False,
    runs: Annotated[int, typer.Option(min=1, help="Worlds of two models that are swapped.")] = 40,
    quiet_verdicts: Annotated[int, typer.Option(min=1000, help="Verdicts without any change.")] = 100_000,
    seed: int = 0,
) -> None:
    """Two models swapped behind their names: verdicts until routing is right again, and until the alarm."""
    from scripts.bench import drift
    from scripts.bench.report import finish

    report = drift.run(runs=runs, quiet_verdicts=quiet_verdicts, seed=seed)
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
    from deployments.thinking.solution import NoConvergenceError
    from scripts.allocate import Plan, run_allocate
    from scripts.thinking_types import TypesError, read_types

    _require_writable(json_path, plot)
    try:
        stated = read_types(types)
        loads = _loads(arrivals) if arrivals is not None else (stated.arrivals_per_s,)
        if plot is not None and len(loads) > 1:
            raise typer.BadParameter(f"{len(loads)} loads given; a plot is of one", param_hint="--plot")
        plan = Plan(types=stated, arrivals_per_s=loads, requests=requests if simulate else 0, seed=seed)
        run_allocate(plan, json_path=json_path, plot_path=plot, console=Console())
    except OSError as err:
        raise typer.BadParameter(f"cannot be written: {err}", param_hint="--json or --plot") from err
    except (TypesError, ProblemError, NoConvergenceError) as err:
        raise typer.BadParameter(f"{types}: {err}", param_hint="TYPES") from err


def _require_writable(json_path: Path | None, plot: Path | None) -> None:
    """Refuse, before anything is computed, what could not be written in the end."""
    for option, path in (("--json", json_path), ("--plot", plot)):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder '{path.parent}'", param_hint=option)
        if path is not None and path.is_dir():
            raise typer.BadParameter(f"'{path}' is a folder; a file is wanted", param_hint=option)
    if plot is not None and plot.suffix != ".png":
        raise typer.BadParameter(f"'{plot}'; a name that ends in .png is wanted", param_hint="--plot")


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


LogUrl = Annotated[
    str | None, typer.Option("--url", help="The log's database, without a password; else what --url-env names.")
]
LogUrlEnv = Annotated[
    str, typer.Option("--url-env", help="Environment variable with the database's URL; unset means the local SQLite.")
]
Since = Annotated[str | None, typer.Option(help="From when on: 90s, 15m, 24h, 7d, or an ISO date and time (UTC).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and no table.")]
OnlyModel = Annotated[str | None, typer.Option(help="Only this model.")]
OnlyTask = Annotated[str | None, typer.Option(help="Only this task.")]
OnlyLanguage = Annotated[str | None, typer.Option(help="Only this language.")]


@log.command("list")
def log_list(
    url: LogUrl = None,
    url_env: LogUrlEnv = "LAAR_LOG_URL",
    model: OnlyModel = None,
    task: OnlyTask = None,
    language: OnlyLanguage = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most attempts to show; the latest are.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The latest attempts."""
    from scripts import log as command

    wanted = command.Wanted(model=model, task=task, language=language, verdict=verdict, since=since)
    command.run(url, url_env, lambda store: command.show_attempts(store, wanted, limit=limit, as_json=as_json))


@log.command("tail")
def log_tail(
    url: LogUrl = None,
    url_env: LogUrlEnv = "LAAR_LOG_URL",
    model: OnlyModel = None,
    task: OnlyTask = None,
    language: OnlyLanguage = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.")] = None,
) -> None:
    """Attempts as they come, one JSON object a line, until interrupted."""
    from scripts import log as command

    wanted = command.Wanted(model=model, task=task, language=language, verdict=verdict)
    command.run(url, url_env, lambda store: command.follow(store, wanted))


@log.command("stats")
def log_stats(
    url: LogUrl = None,
    url_env: LogUrlEnv = "LAAR_LOG_URL",
    model: OnlyModel = None,
    task: OnlyTask = None,
    language: OnlyLanguage = None,
    since: Since = "24h",
    as_json: AsJson = False,
) -> None:
    """Accuracy by model, language and bucket; TTCA with retries and feedback; arrival rate and task mix."""
    from scripts import log as command

    wanted = command.Wanted(model=model, task=task, language=language, since=since)
    command.run(url, url_env, lambda store: command.show_stats(store, wanted, as_json=as_json))


@log.command("prune")
def log_prune(
    older_than: Annotated[str, typer.Option(help="Age of what is deleted: 12h, 90d, or before an ISO date.")],
    url: LogUrl = None,
    url_env: LogUrlEnv = "LAAR_LOG_URL",
    as_json: AsJson = False,
) -> None:
    """Delete old rows."""
    from scripts import log as command

    command.run(url, url_env, lambda store: command.prune(store, older_than, as_json=as_json))


@log.command("migrate")
def log_migrate(url: LogUrl = None, url_env: LogUrlEnv = "LAAR_LOG_URL") -> None:
    """Make the tables or bring them up to date; routers do so themselves when they start."""
    from scripts import log as command

    command.run(url, url_env, command.migrate, needs_tables=False)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
