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


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the table.")] = False,
    json_path: JsonPath = None,
    port: int = 8000,
) -> None:
    """Start the embedded models, ask the demo questions and print who answered them."""
    from scripts.demo import run_demo

    raise typer.Exit(run_demo(once=once, json_path=json_path, port=port))


def main() -> None:
    app()


if __name__ == "__main__":
    main()
