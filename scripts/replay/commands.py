"""The options of `laar replay`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from scripts.options import JsonPath, file_to_write


def replay(
    fit: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Recorded outcomes that are fitted to.")],
    judge: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Those that are judged; without it the first are cut into two halves."
        ),
    ] = None,
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
        int | None, typer.Option(min=10, help="Fit to so many prompts only, as a small profile would.")
    ] = None,
    most_prompts: Annotated[int, typer.Option(min=20, help="Prompts that are judged at most.")] = 1500,
    overlap: Annotated[
        bool, typer.Option("--overlap", help="Also start the next model before the first has failed.")
    ] = False,
    picks: Annotated[
        bool, typer.Option("--picks", help="Also how often the likeliest model is right, by few prompts fitted to.")
    ] = False,
    price: Annotated[
        float, typer.Option(min=0, max=100, help="What an engine-second costs, in seconds of the user's time.")
    ] = 0.5,
) -> None:
    """Play the router's policies on answers that real models gave, beside other rules with the same retries.

    Exit status: 0; 1 with --check if a bar falls short; 2 if the outcomes cannot be read.
    """
    from scripts.replay.figures import bars, figures
    from scripts.replay.page import as_html, as_markdown
    from scripts.replay.picks import pick_bars
    from scripts.replay.recorded.outcomes import RecordedError
    from scripts.replay.recorded.pools import PoolRules
    from scripts.replay.run import ReplayOptions, picks_of, play_recording
    from scripts.report import Report, finish

    options = ReplayOptions(
        fit=fit,
        judge=judge,
        pools=pools,
        seeds=seeds,
        most_prompts=most_prompts,
        fit_prompts=fit_prompts,
        has_overlap=overlap,
        price=price,
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
        "price": price,
    }
    report = Report(bench="replay", parameters=parameters, figures=found, bars=[*bars(found), *pick_bars(picked)])
    if markdown is not None:
        markdown.write_text(as_markdown(report))
    if html is not None:
        html.write_text(as_html(report))
    raise typer.Exit(finish(report, json_path=json_path, check=check))
