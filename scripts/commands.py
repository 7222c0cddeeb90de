"""The commands of `laar` together."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from scripts.allocate.commands import allocate
from scripts.bench.commands import bench
from scripts.client import commands as client
from scripts.log.commands import log
from scripts.options import JsonPath
from scripts.profile.commands import profile
from scripts.replay.commands import replay
from scripts.simulate.commands import simulate
from scripts.verify.commands import verify
from serve_app.environment import prepare_environment

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for command in (client.up, client.check, client.ask, client.explain, client.status, client.feedback):
    app.command()(command)
app.add_typer(bench, name="bench")
app.add_typer(log, name="log")
app.add_typer(profile, name="profile")
app.add_typer(simulate, name="simulate")


@app.callback(invoke_without_command=True)
def main_options(
    is_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Accuracy-aware LLM serving on Ray Serve.

    Exit status: 0 for success, 1 for what went wrong, 2 for wrong options or data that cannot be read,
    3 for `laar ask` without a verified answer and `laar bench ttca` that is not done, 130 after Ctrl-C.
    """
    if is_version:
        print(f"laar {version('laar')}")
        raise typer.Exit
    prepare_environment(os.environ)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the table.")] = False,
    json_path: JsonPath = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8000,
) -> None:
    """Start the embedded models, ask the demo questions and print who answered them."""
    from scripts.demo.run import run_demo

    raise typer.Exit(run_demo(once=once, json_path=json_path, port=port))


app.command()(allocate)
app.command()(replay)
app.command()(verify)
