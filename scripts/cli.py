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
    from scripts.profile import BUCKET_EDGES

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


def main() -> None:
    app()


if __name__ == "__main__":
    main()
