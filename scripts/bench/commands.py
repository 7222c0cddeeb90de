"""The options of `laar bench`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from scripts.options import SEED_HELP, JsonPath, file_to_write, png_to_write, refuse_given
from scripts.report import finish

bench = typer.Typer(no_args_is_help=True, help="Measure laar; every bench writes JSON and can be checked.")

Check = Annotated[bool, typer.Option("--check", help="Exit with 1 if a bar falls short.")]
Seed = Annotated[int, typer.Option(help=SEED_HELP)]


@bench.command("decision")
def bench_decision(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=20, help="Times each case is measured.")] = 200,
    seed: Seed = 0,
) -> None:
    """Features and decision per request: prompts of 100 to 64K tokens, 6 languages, 5 and 50 models."""
    from scripts.bench.cost import decision

    raise typer.Exit(finish(decision.run(rounds=rounds, seed=seed), json_path=json_path, check=check))


@bench.command("following")
def bench_following(json_path: JsonPath = None, check: Check = False) -> None:
    """What sharing verdicts through the log costs a router: 1,000 and 5,000 a second, 1, 4 and 16 routers."""
    from scripts.bench.estimates import following

    raise typer.Exit(finish(following.run(), json_path=json_path, check=check))


@bench.command("checks")
def bench_checks(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=1, help="Times each text is checked; the quickest counts.")] = 5,
) -> None:
    """How long a check can hold up a router: hostile texts of the largest sizes that are checked there."""
    from scripts.bench.cost import checks

    raise typer.Exit(finish(checks.run(rounds=rounds), json_path=json_path, check=check))


@bench.command("overhead")
def bench_overhead(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per concurrency; the order alternates.")] = 6,
    requests: Annotated[int, typer.Option(min=50, help="Requests per round.")] = 1500,
) -> None:
    """The same simulated model behind laar and behind Ray's own OpenAiIngress, side by side."""
    from scripts.bench.cost import overhead

    raise typer.Exit(finish(overhead.run(rounds=rounds, requests=requests), json_path=json_path, check=check))


@bench.command("peers")
def bench_peers(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per concurrency; the order alternates.")] = 6,
    requests: Annotated[int, typer.Option(min=50, help="Requests per turn; the quickest get more.")] = 400,
    profile: Annotated[bool, typer.Option("--profile", help="Also sample where laar's time goes.")] = False,
) -> None:
    """laar beside LiteLLM's proxy, vLLM's router and Ray's ingress on backends that answer at once."""
    from scripts.bench.cost import peers
    from scripts.bench.cost.peer_processes import PeersMissingError

    try:
        report = peers.run(rounds=rounds, requests=requests, profile=profile)
    except PeersMissingError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("allocate")
def bench_allocate(
    json_path: JsonPath = None,
    check: Check = False,
    problems: Annotated[int, typer.Option(min=5, help="Random problems to find the best budgets of.")] = 200,
    repeats: Annotated[int, typer.Option(min=10, help="Times each size is measured.")] = 100,
    requests: Annotated[int, typer.Option(min=20_000, max=10_000_000, help="Requests per simulated queue.")] = 400_000,
    plot: Annotated[
        Path | None,
        typer.Option(callback=png_to_write, help="Draw J by load, beside simpler budgets, into this PNG file."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help=SEED_HELP)] = 0,
) -> None:
    """Thinking budgets: the optimum against a search by coordinates, a swing, time, simulated queues and retries."""
    from scripts.bench.budgets import allocate

    report = allocate.run(problems=problems, repeats=repeats, requests=requests, seed=seed, plot_path=plot)
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("log")
def bench_log(
    json_path: JsonPath = None,
    check: Check = False,
    rounds: Annotated[int, typer.Option(min=20, help="Times each prompt length is measured.")] = 2000,
) -> None:
    """What the attempt log adds to a request: its record, and the write to the journal."""
    from scripts.bench.cost import log as bench_of_log

    raise typer.Exit(finish(bench_of_log.run(rounds=rounds), json_path=json_path, check=check))


@bench.command("capability")
def bench_capability(
    train: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Outcomes to fit to: a profiler's journal.")],
    held_out: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="Outcomes to judge on, of another seed, with new languages or lengths."
        ),
    ],
    json_path: JsonPath = None,
    check: Check = False,
) -> None:
    """How well fitted chances foretell recorded outcomes, beside rates and one logistic regression a model."""
    from scripts.bench.estimates import capability
    from scripts.profile.measuring.plan import BUCKET_EDGES

    try:
        report = capability.run(train=train, held_out=held_out, edges=BUCKET_EDGES)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--train or --held-out") from error
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("estimates")
def bench_estimates(
    fit: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Recorded outcomes that are fitted to.")],
    judge: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Outcomes to judge on; without it, --fit is cut in two."),
    ] = None,
    prompts: Annotated[
        str, typer.Option(help="Numbers of prompts to fit to, with commas between.")
    ] = "25,50,100,400,1600",
    json_path: JsonPath = None,
    check: Check = False,
) -> None:
    """How well chances fitted to few prompts foretell other prompts, beside a rate, a cell and a regression a model."""
    from scripts.bench.estimates import recorded

    try:
        sizes = [int(size) for size in prompts.split(",")]
    except ValueError as error:
        raise typer.BadParameter("whole numbers with commas between", param_hint="--prompts") from error
    if min(sizes) < 1:
        raise typer.BadParameter(f"{min(sizes)}; at least 1 is needed", param_hint="--prompts")
    try:
        report = recorded.run(fit=fit, judge=judge, sizes=sizes)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fit or --judge") from error
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("drift")
def bench_drift(
    json_path: JsonPath = None,
    check: Check = False,
    runs: Annotated[int, typer.Option(min=1, help="Worlds of two models that are swapped.")] = 40,
    quiet_verdicts: Annotated[int, typer.Option(min=1000, help="Verdicts without any change.")] = 100_000,
    seed: Seed = 0,
) -> None:
    """Two models swapped behind their names: verdicts until routing is right again, and until the alarm."""
    from scripts.bench.estimates import drift

    report = drift.run(runs=runs, quiet_verdicts=quiet_verdicts, seed=seed)
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("simulate")
def bench_simulate(
    context: typer.Context,
    json_path: JsonPath = None,
    check: Check = False,
    requests: Annotated[int, typer.Option(min=10_000, max=10_000_000, help="Requests to the big cluster.")] = 1_000_000,
    replicas: Annotated[
        int, typer.Option(min=10, max=10_000, help="Replicas in all, shared evenly by its ten models.")
    ] = 1000,
    theory_requests: Annotated[
        int, typer.Option(min=10_000, max=10_000_000, help="Requests held against a formula, each.")
    ] = 400_000,
    from_dir: Annotated[
        Path | None,
        typer.Option(
            "--from",
            exists=True,
            file_okay=False,
            help="Folder of a real run, with simulate.yaml and the folders that it names.",
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Only fit engines to the run, and write what --from then compares.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help=SEED_HELP)] = 0,
) -> None:
    """The simulator: a million requests on a thousand replicas, conservation, queueing formulas, a real run.

    With fewer, time and memory are not judged and --check fails.
    """
    from scripts.bench.simulated import study as simulate

    if write and from_dir is None:
        raise typer.BadParameter("needs --from", param_hint="--write")
    if write:
        unused = ("json_path", "check", "requests", "replicas", "theory_requests", "seed")
        refuse_given(context, unused, "not with --write, which measures nothing")
    if replicas % simulate.MODELS:
        raise typer.BadParameter(f"{replicas}; a multiple of {simulate.MODELS} is wanted", param_hint="--replicas")
    try:
        if write:
            assert from_dir is not None
            for serving, folds in simulate.write(from_dir).items():
                for fold, fitted in folds.items():
                    for model, ratio in fitted.mean_ratio.items():
                        told = f"simulated latency {ratio:.3f} of the measured, where it was fitted"
                        typer.echo(f"{serving}, fold {fold}, {model}: {told}")
            return
        report = simulate.run(
            requests=requests, replicas=replicas, theory_requests=theory_requests, seed=seed, from_dir=from_dir
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from") from error
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("load")
def bench_load(
    json_path: JsonPath = None,
    check: Check = False,
    requests: Annotated[int, typer.Option(min=500, help="Requests per policy, load and seed.")] = 4000,
    seeds: Annotated[int, typer.Option(min=1, help="Other arrivals and answers each.")] = 3,
) -> None:
    """Time to a correct answer by load, simulated: laar, other policies with the same retries, and the fluid bound."""
    from scripts.bench.simulated import load

    raise typer.Exit(finish(load.run(requests=requests, seeds=seeds), json_path=json_path, check=check))


@bench.command("goodput")
def bench_goodput(
    context: typer.Context,
    url: Annotated[
        list[str] | None,
        typer.Option(help="An OpenAI server; NAME=URL names it. Given again, servers are compared with the first."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", exists=True, dir_okay=False, help="Compute everything anew from what --raw wrote."),
    ] = None,
    rates: Annotated[str, typer.Option(help="Requests per second, with commas between; a trace has its own.")] = "",
    trace: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Arrivals: CSV of at_s,prompt_tokens,output_tokens."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask for; else the server's only one.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="Environment variable with the API key to send; none is sent without it.")
    ] = None,
    window_s: Annotated[float, typer.Option(min=1, max=3600, help="Seconds of arrivals at each rate.")] = 60,
    prompt_tokens: Annotated[
        int, typer.Option(min=1, max=131_072, help="Tokens of a prompt, about 50 at least; of a trace's at most.")
    ] = 128,
    output_tokens: Annotated[
        int, typer.Option(min=1, max=32_768, help="Tokens of an answer at most; of a trace's as well.")
    ] = 64,
    ttft_s: Annotated[float | None, typer.Option(min=0, help="The objective's longest TTFT.")] = 2.0,
    tpot_s: Annotated[float | None, typer.Option(min=0, help="The objective's longest TPOT.")] = 0.2,
    tbt_s: Annotated[float | None, typer.Option(min=0, help="The objective's longest TBT; none by default.")] = None,
    pace_s: Annotated[float, typer.Option(min=1e-4, max=60, help="Seconds in which the reader reads a token.")] = 0.2,
    alpha: Annotated[
        float | None, typer.Option(min=0, max=1e4, help="Tokens that a second of waiting costs; else 1 / pace.")
    ] = None,
    bound_s: Annotated[float, typer.Option(min=0.1, max=3600, help="Waiting longer costs no more.")] = 30,
    timeout_s: Annotated[float, typer.Option(min=1, max=3600, help="An answer is cut off after so long.")] = 60,
    most_open: Annotated[
        int, typer.Option(min=1, max=10_000, help="Requests under way at most; more are counted as refused.")
    ] = 512,
    extra_body: Annotated[str, typer.Option(help="JSON object that is added to each request's body.")] = "{}",
    raw: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="Write every token's time to this file, gzipped.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(callback=png_to_write, help="Draw the curves into this PNG file.")
    ] = None,
    json_path: JsonPath = None,
    check: Check = False,
    seed: Annotated[int, typer.Option(min=0, max=10_000, help=SEED_HELP)] = 0,
) -> None:
    """Streams of any OpenAI server by load: TTFT, TPOT, TBT, goodput, smooth goodput and where it peaks.

    An open loop: requests are sent when they are due, however many are under way.
    """
    import asyncio
    import os
    from math import inf

    from profiles.measures.goodput import Reader, ServiceLimits
    from scripts.bench.goodput import run as goodput
    from scripts.bench.goodput.arrivals import read_trace
    from scripts.bench.goodput.file import read_recording, write_recording
    from scripts.bench.goodput.streams import StreamLimits

    if (source is None) == (not url):
        raise typer.BadParameter("one of them is needed, and not both", param_hint="--url, --from")
    try:
        if source is not None:
            of_measuring = {option.name for option in context.command.params} - {"source", "plot", "json_path", "check"}
            refuse_given(context, of_measuring, "not with --from, which asks no server")
            recording = read_recording(source)
        else:
            recorded = None
            if trace is not None:
                recorded = read_trace(trace, most_prompt_tokens=prompt_tokens, most_output_tokens=output_tokens)
            plan = goodput.LoadPlan(
                rates_per_s=goodput.rates_of(rates, recorded),
                window_s=window_s,
                prompt_tokens=prompt_tokens,
                output_tokens=output_tokens,
                seed=seed,
                limits=StreamLimits(timeout_s=timeout_s, most_open=most_open),
                objective=ServiceLimits(
                    **{
                        n: inf if s is None else s
                        for n, s in (("ttft_s", ttft_s), ("tpot_s", tpot_s), ("tbt_s", tbt_s))
                    }
                ),
                reader=Reader(pace_s=pace_s, alpha=1 / pace_s if alpha is None else alpha, bound_s=bound_s),
                trace=recorded,
                trace_name=trace.name if trace else None,
                extra_body=goodput.extra_body_of(extra_body),
            )
            key = goodput.key_of(key_env, os.environ)
            urls = goodput.urls_of(url or [])
            recording = asyncio.run(goodput.ask_servers(plan, urls, model=model, api_key=key))
            if raw is not None:
                write_recording(raw, recording)
        report = goodput.report(recording)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except goodput.LoadError as error:
        print(f"laar bench goodput: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if plot is not None:
        from scripts.bench.goodput.plots import draw

        draw(report.figures, report.parameters, plot)
    goodput.show(report.figures)
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("emulated")
def bench_emulated(
    context: typer.Context,
    outcomes: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Recorded outcomes, as `laar replay` reads them.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", exists=True, dir_okay=False, help="Compute everything anew from what --raw wrote."),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Instead: hold emulated engines against the real run in this folder."
        ),
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.02, max=1, help="With --study: an emulated second takes this part of a second.")
    ] = 0.15,
    loads: Annotated[
        str, typer.Option(help="Shares of the capacity, with commas between.")
    ] = "0.1,0.3,0.5,0.6,0.7,0.8,0.9,0.95",
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Blocks for each load, with other requests each.")] = 5,
    models: Annotated[int, typer.Option(min=2, max=6, help="Models of the random pool.")] = 4,
    pool_seed: Annotated[
        int, typer.Option(min=0, help="Draws the pool, and which half of the questions is asked.")
    ] = 0,
    block_s: Annotated[float, typer.Option(min=2, max=600, help="Seconds of arrivals in a block.")] = 20,
    capacity_per_s: Annotated[
        float, typer.Option(min=1, max=100, help="Requests per second at a load of 1; time is scaled to it.")
    ] = 20,
    trace: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Arrivals: CSV of at_s,prompt_tokens,output_tokens."),
    ] = None,
    policies: Annotated[str, typer.Option(help="Only these, with commas between; laar and another one at least.")] = "",
    raw: Annotated[
        Path | None,
        typer.Option(callback=file_to_write, help="Write all trials to this file; one that is there is gone on with."),
    ] = None,
    json_path: JsonPath = None,
    check: Check = False,
) -> None:
    """The real router over HTTP before emulated engines with recorded answers: time to a correct answer by load.

    All policies have the same retries. Answers were recorded from real models; engines and their speeds are emulated.
    """
    from scripts.bench.emulated import run as emulated
    from scripts.bench.emulated.file import read_emulation, write_emulation
    from scripts.bench.emulated.processes import EmulationError
    from scripts.bench.goodput.arrivals import read_trace
    from scripts.bench.goodput.run import rates_of

    if [source, outcomes, study].count(None) != 2:
        raise typer.BadParameter("just one of them is needed", param_hint="--outcomes, --from, --study")
    names = {option.name or "" for option in context.command.params}
    try:
        if study is not None:
            from scripts.bench.emulated import validation

            refuse_given(context, names - {"study", "scale", "json_path", "check"}, "not with --study")
            held = validation.run(study, scale=scale, policies=validation.played_policies())
            validation.show(held.figures)
            raise typer.Exit(finish(held, json_path=json_path, check=check))
        refuse_given(context, {"scale"}, "only with --study")
        if source is not None:
            refuse_given(context, names - {"source", "json_path", "check"}, "not with --from, which starts nothing")
            recording = read_emulation(source)
        else:
            assert outcomes is not None
            recorded = None if trace is None else read_trace(trace, most_prompt_tokens=1, most_output_tokens=1)
            options = emulated.EmulationOptions(
                outcomes=outcomes,
                loads=rates_of(loads, None),
                seeds=seeds,
                models=models,
                pool_seed=pool_seed,
                block_s=block_s,
                capacity_per_s=capacity_per_s,
                trace=recorded,
                trace_name=trace.name if trace else None,
                policies=emulated.policies_of(policies),
            )
            before = read_emulation(raw) if raw is not None and raw.exists() else None
            recording = emulated.run(options, before)
            if raw is not None:
                write_emulation(raw, recording)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except EmulationError as error:
        print(f"laar bench emulated: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    report = emulated.report(recording)
    emulated.show(report.figures)
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("retries")
def bench_retries(
    json_path: JsonPath = None,
    check: Check = False,
    prompts: Annotated[int, typer.Option(min=6, help="Prompts that both ways get.")] = 60,
    seed: Seed = 7,
) -> None:
    """A client that checks answers itself and sends them back, beside the router's own loop, on two embedded models."""
    from scripts.bench.ttca import retries

    raise typer.Exit(finish(retries.run(prompts=prompts, seed=seed), json_path=json_path, check=check))


@bench.command("ttca")
def bench_ttca(
    context: typer.Context,
    plan: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="What to ask, YAML.")] = None,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="With --plan: folder for what is measured.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", exists=True, file_okay=False, help="Compute everything anew from a folder's raw data."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The page with the tables; else FOLDER.md beside the folder.")
    ] = None,
    json_path: JsonPath = None,
    check: Check = False,
    url: Annotated[str, typer.Option(help="A running laar application.")] = "http://127.0.0.1:8000",
    policies: Annotated[str, typer.Option(help="Only these of the plan, with commas between them.")] = "",
    trials_only: Annotated[
        bool, typer.Option("--trials-only", help="Compare what the policies did, without what each model would answer.")
    ] = False,
    budget_s: Annotated[float | None, typer.Option(min=1, help="Begin nothing after this many seconds.")] = None,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key to send; unset means none.")
    ] = "LAAR_API_KEY",
) -> None:
    """Time to a correct answer on a running application, one policy after another, with the same prompts and times.

    With --plan and --out it asks, and publishes what was measured into the folder once nothing is missing. With
    --trials-only it publishes nothing.
    """
    from scripts.bench.publish.report import publish, recompute
    from scripts.bench.ttca.summary import summarise

    if (source is None) == (plan is None) or (plan is None) != (out is None):
        raise typer.BadParameter("either --plan with --out, or --from", param_hint="--plan")
    if source is not None:
        refuse_given(context, ("policies", "budget_s", "url", "api_key_env"), "only with --plan: --from asks no model")
    try:
        if source is not None:
            found = summarise(source) if trials_only else recompute(source, page=page)
            raise typer.Exit(finish(found, json_path=json_path, check=check))
        assert plan is not None
        assert out is not None
        undone = _ask_application(plan, out, url, policies, budget_s, api_key_env, asks_every_model=not trials_only)
        if undone:
            for line in undone:
                print(f"not done: {line}")
            raise typer.Exit(3)
        found = summarise(out) if trials_only else publish(out, page=page)
        raise typer.Exit(finish(found, json_path=json_path, check=check))
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--plan, --out or --from") from error


def _ask_application(
    plan: Path,
    out: Path,
    url: str,
    policies: str,
    budget_s: float | None,
    api_key_env: str,
    *,
    asks_every_model: bool,
) -> list[str]:
    """What is left undone, in words."""
    import asyncio
    import os

    from scripts.bench.ttca.plan import read_plan
    from scripts.bench.ttca.run import run
    from scripts.profile.measuring.plan import ProfileError

    found = read_plan(plan)
    only = [name.strip() for name in policies.split(",") if name.strip()]
    if unknown := sorted(set(only) - set(found.policies)):
        raise ValueError(f"policies {unknown} are not in {plan}; it has {list(found.policies)}")
    key = os.environ.get(api_key_env, "").strip() or None
    out.mkdir(parents=True, exist_ok=True)
    try:
        asked = run(
            found,
            url=url.rstrip("/"),
            folder=out,
            budget_s=budget_s,
            api_key=key,
            only=only,
            asks_every_model=asks_every_model,
        )
        return asyncio.run(asked)
    except ProfileError as error:
        print(f"laar bench ttca: {error}")
        raise typer.Exit(1) from error


@bench.command("attack")
def bench_attack(
    url: Annotated[str, typer.Option(help="A running laar on this machine's loopback.")],
    model: Annotated[str, typer.Option(help="The model that is asked, best a simulated one.")],
    attacker_key_env: Annotated[str, typer.Option(help="Environment variable with the key that attacks.")],
    victim_key_env: Annotated[str, typer.Option(help="Environment variable with the key that is watched.")],
    json_path: JsonPath = None,
    check: Check = False,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Seconds of each attack.")] = 10,
    pace_s: Annotated[float, typer.Option(min=0.01, help="Seconds between two watched requests.")] = 0.1,
    only: Annotated[list[str] | None, typer.Option(help="One attack by its name; may be given again.")] = None,
) -> None:
    """What one key's attacks do to another key's requests."""
    import asyncio
    import os

    from scripts.bench.attack import run as attack

    keys = {"attacker": os.environ.get(attacker_key_env, ""), "victim": os.environ.get(victim_key_env, "")}
    try:
        at = attack.target(url, model=model, **keys)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    report = asyncio.run(attack.run(at, seconds=seconds, pace_s=pace_s, only=only or ()))
    raise typer.Exit(finish(report, json_path=json_path, check=check))


@bench.command("chaos")
def bench_chaos(
    json_path: JsonPath = None,
    check: Check = False,
    in_flight: Annotated[int, typer.Option(min=2, max=256, help="Requests under way at any time.")] = 64,
    only: Annotated[list[str] | None, typer.Option(help="One fault by its name; may be given again.")] = None,
) -> None:
    """Engines, verifier, router, database, disk and head fail one after another under verified load."""
    from scripts.bench.chaos import run as chaos

    known = chaos.names()
    if unknown := sorted(set(only or ()) - set(known)):
        raise typer.BadParameter(f"{unknown}; known: {known}", param_hint="--only")
    raise typer.Exit(finish(chaos.run(only=only or (), in_flight=in_flight), json_path=json_path, check=check))


@bench.command("rehearsal")
def bench_rehearsal(
    json_path: JsonPath = None,
    check: Check = False,
    in_flight: Annotated[int, typer.Option(min=2, max=256, help="Requests under way at any time.")] = 16,
) -> None:
    """A Ray cluster of several nodes on this machine: one is killed, one drained, routers come and go, under load."""
    from scripts.bench.rehearsal import run as rehearsal

    raise typer.Exit(finish(rehearsal.run(in_flight=in_flight), json_path=json_path, check=check))


@bench.command("overload")
def bench_overload(
    json_path: JsonPath = None,
    check: Check = False,
    seconds: Annotated[float, typer.Option(min=5, max=600, help="Seconds of overload.")] = 120,
    alone_s: Annotated[float, typer.Option(min=5, max=600, help="Seconds before, of the modest key alone.")] = 30,
) -> None:
    """One key sends five times what can be served, and another one little: what both notice of it."""
    from scripts.bench.chaos import overload

    raise typer.Exit(finish(overload.run(seconds=seconds, alone_s=alone_s), json_path=json_path, check=check))


@bench.command("soak")
def bench_soak(
    json_path: JsonPath = None,
    check: Check = False,
    minutes: Annotated[float, typer.Option(min=1, max=24 * 60, help="Minutes of load.")] = 30,
    share: Annotated[float, typer.Option(min=0.05, max=0.95, help="Of what was found to be served at most.")] = 0.7,
) -> None:
    """For long at a part of what can be served: growth of memory, errors, tasks that stay behind."""
    from scripts.bench.chaos import soak

    raise typer.Exit(finish(soak.run(minutes=minutes, share=share), json_path=json_path, check=check))
