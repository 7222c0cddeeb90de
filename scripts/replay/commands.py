"""The options of `laar replay`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.options import LOG_URL_ENV, JsonPath, file_to_write, refuse_given

# The latest attempts that are read at most, which bounds the memory.
MOST_ATTEMPTS = 500_000
# Options that say nothing about an attempt log.
OF_FOLDERS = frozenset(
    {"judge", "check", "markdown", "html", "pools", "seeds", "pool_size", "fit_prompts", "most_prompts", "overlap"}
    | {"picks", "price"}
)


def replay(
    context: typer.Context,
    fit: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Recorded outcomes that are fitted to.")
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Recorded outcomes to judge on; without it, those of --fit are cut into two halves.",
        ),
    ] = None,
    log_url: Annotated[
        str | None, typer.Option("--log", help="Instead of --fit: the database of an attempt log, without a password.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Requests of the log from then on: an age such as 7d, or an ISO date.")
    ] = "30d",
    json_path: JsonPath = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a bar falls short.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="Write the figures to this page, too.")
    ] = None,
    html: Annotated[Path | None, typer.Option(callback=file_to_write, help="The same with plots, in one file.")] = None,
    pools: Annotated[int, typer.Option(min=1, max=5000, help="Random pools of models, of all seeds together.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Cuts into halves, each with its own pools.")] = 2,
    pool_size: Annotated[int, typer.Option(min=2, max=6, help="Models in a pool, each of another base model.")] = 5,
    fit_prompts: Annotated[
        int | None, typer.Option(min=10, help="Fit to this many prompts only, as a small profile would.")
    ] = None,
    most_prompts: Annotated[int, typer.Option(min=20, help="Prompts that are judged at most.")] = 1500,
    overlap: Annotated[
        bool, typer.Option("--overlap", help="Also start the next model before the first has failed.")
    ] = False,
    picks: Annotated[
        bool,
        typer.Option(
            "--picks",
            help="Also report how often the model with the highest chance is right, after a fit to few prompts.",
        ),
    ] = False,
    price: Annotated[
        float | None,
        typer.Option(
            min=0, max=100, help="Seconds of the user's time that an engine-second costs; else the router's price."
        ),
    ] = None,
) -> None:
    """Play the router's policies on answers that real models gave, beside other rules with the same retries.

    With --log: what the router's policies would have done with the requests of an attempt log.

    Exit status: 0; 1 with --check if a bar falls short; 2 if the outcomes cannot be read.
    """
    from deployments.router.choice.overlap import IDLE_PRICE
    from scripts.replay.figures import bars, figures
    from scripts.replay.page import as_html, as_markdown
    from scripts.replay.picks import pick_bars
    from scripts.replay.recorded.outcomes import RecordedError
    from scripts.replay.recorded.pools import PoolRules
    from scripts.replay.run import ReplayOptions, picks_of, play_recording

    if (fit is None) == (log_url is None):
        raise typer.BadParameter("one of them is needed, and not both", param_hint="--fit, --log")
    if fit is None:
        refuse_given(context, OF_FOLDERS, "it is for recorded outcomes, and does nothing for a log")
        raise typer.Exit(_replay_log(log_url, since, json_path))
    refuse_given(context, {"since"}, "it is for --log")
    from scripts.report import Report, finish

    options = ReplayOptions(
        fit=fit,
        judge=judge,
        pools=pools,
        seeds=seeds,
        most_prompts=most_prompts,
        fit_prompts=fit_prompts,
        has_overlap=overlap,
        price=IDLE_PRICE if price is None else price,
        rules=PoolRules(size=pool_size),
    )
    try:
        played = play_recording(options)
        picked = picks_of(options) if picks else {}
    except RecordedError as error:
        print(f"laar replay: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    found = figures(played) | ({"picks": picked} if picks else {})
    parameters = {
        "fit": fit.resolve().name,
        "judge": judge.resolve().name if judge else None,
        "pools": pools,
        "seeds": seeds,
        "pool_size": pool_size,
        "fit_prompts": fit_prompts,
        "most_prompts": most_prompts,
        "overlap": overlap,
        "picks": picks,
        "price": options.price,
    }
    report = Report(bench="replay", parameters=parameters, figures=found, bars=[*bars(found), *pick_bars(picked)])
    if markdown is not None:
        markdown.write_text(as_markdown(report))
    if html is not None:
        html.write_text(as_html(report))
    raise typer.Exit(finish(report, json_path=json_path, check=check))


def _replay_log(log_url: str | None, since: str, json_path: Path | None) -> int:
    from datetime import UTC, datetime

    from deployments.log.database.store import Store
    from deployments.log.reading.outcomes import logged_attempts
    from scripts.log.actions import moment, run
    from scripts.replay.logged import log_figures
    from scripts.report import Report, finish

    def read(store: Store) -> dict[str, Any]:
        began = moment(since, datetime.now(UTC))
        with store.engine.connect() as connection:
            return log_figures(logged_attempts(connection, since=began, limit=MOST_ATTEMPTS))

    found = run(log_url, LOG_URL_ENV, read, command="laar replay")
    for name, one in (("as logged", found["logged"]), *found["policies"].items()):
        print(f"{name}: " + ", ".join(f"{figure} {_told(value)}" for figure, value in one.items()))
    print(f"Estimator: {found['estimator']}\nLimits: {found['limits']}.")
    return finish(Report(bench="replay", parameters={"since": since}, figures=found), json_path=json_path, check=False)


def _told(value: float | list[float]) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value[0]:.4g} ({value[1]:.4g} to {value[2]:.4g})"
