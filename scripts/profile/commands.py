"""The options of `laar profile`."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scripts.options import LOG_URL_ENV, file_to_write, png_to_write

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_WORKLOADS = "instruct,lookup"
DEFAULT_LANGUAGES, DEFAULT_TOKENS = "en,de,zh", "100,300,620"
DEFAULT_CONCURRENCY = 4
DEFAULT_LOG = Path("laar-profile.log")
GRID_PROMPTS, MOST_ADAPTIVE_PROMPTS = 20, 100


class DefaultCommand(TyperGroup):
    """`laar profile --out FILE` is `laar profile run --out FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


profile = typer.Typer(
    cls=DefaultCommand,
    no_args_is_help=True,
    help="Measure models, and merge or show what was measured. `laar profile --out FILE` is short for "
    "`laar profile run --out FILE`; options: `laar profile run --help`.",
)


@profile.command("run")
def run_command(
    out: Annotated[
        Path,
        typer.Option(
            callback=file_to_write, help="Where to write the profile; FILE.journal beside it keeps every outcome."
        ),
    ],
    url: Annotated[str | None, typer.Option(help=f"A running laar application, by default {DEFAULT_URL}.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Serve config of an application to bring up, measure and end.")
    ] = None,
    workload: Annotated[
        str | None, typer.Option(help=f"Comma-separated workloads; {DEFAULT_WORKLOADS} unless --jsonl is given.")
    ] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Prompts of your own, one JSON object a line.")] = None,
    languages: Annotated[
        str | None,
        typer.Option(help=f"Comma-separated ISO 639 codes of the workloads, by default {DEFAULT_LANGUAGES}."),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(help=f"Comma-separated prompt lengths of the workloads, by default {DEFAULT_TOKENS}."),
    ] = None,
    prompts: Annotated[
        int | None, typer.Option(min=1, help="Prompts per cell of the workloads; with --adaptive at most this many.")
    ] = None,
    adaptive: Annotated[
        bool, typer.Option("--adaptive/--grid", help="Ask on where the choice of a model is least certain.")
    ] = False,
    budget: Annotated[
        int | None, typer.Option(min=1, help="With --adaptive: most answers to ask for, of all models together.")
    ] = None,
    budgets: Annotated[
        str, typer.Option(help="Comma-separated thinking-token budgets to ask models that reason with.")
    ] = "",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests at once per model; at most what --config lets its engine run.")
    ] = DEFAULT_CONCURRENCY,
    together: Annotated[
        bool, typer.Option("--together", help="All models at once: only where they do not share a processor.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, whatever was measured before.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", callback=file_to_write, help="Write what became of every prompt here.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help=f"With --config: where the application logs, by default {DEFAULT_LOG}.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the workloads: another seed makes other prompts.")] = 1,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key to send; unset means none.")
    ] = "LAAR_API_KEY",
) -> None:
    """Measure accuracy, latency and characters per token of every model; goes on where an earlier run stopped."""
    from scripts.profile.measuring.application import read_config, with_application
    from scripts.profile.measuring.plan import ProfileError, ProfilePlan
    from scripts.profile.measuring.run import Output, run_profile

    _refuse(url is not None and config is not None, "--url", "--config brings up an application of its own; drop one")
    _refuse(adaptive != (budget is not None), "--budget", "--adaptive and --budget go together")
    _refuse(adaptive and bool(budgets), "--budgets", "thinking budgets are measured with --grid only")
    _refuse(log is not None and config is None, "--log", "only an application that --config brings up logs there")
    workloads = _names(workload if workload is not None or jsonl else DEFAULT_WORKLOADS)
    _refuse_unused(workloads, {"--languages": languages, "--tokens": tokens, "--prompts": prompts})
    try:
        application = read_config(config) if config else None
    except ProfileError as error:
        raise typer.BadParameter(str(error), param_hint="--config") from error
    plan = ProfilePlan(
        url=application.url if application else (url or DEFAULT_URL).rstrip("/").removesuffix("/v1"),
        workloads=workloads,
        own_prompts=_own_prompts(jsonl) if jsonl else (),
        languages=_names(DEFAULT_LANGUAGES if languages is None else languages),
        target_tokens=_numbers(DEFAULT_TOKENS if tokens is None else tokens, "--tokens", least=1),
        prompts_per_cell=prompts or (MOST_ADAPTIVE_PROMPTS if adaptive else GRID_PROMPTS),
        concurrency=concurrency,
        capacities=application.capacities if application else {},
        are_models_together=together,
        max_answers=budget,
        budgets=_numbers(budgets, "--budgets", least=0) if budgets else (),
        seed=seed,
        command="laar " + " ".join(sys.argv[1:]),
        api_key=os.environ.get(api_key_env, "").strip() or None,
    )
    questions = _questions(plan)
    output = Output(profile=out, report=json_path, fresh=fresh)
    if application is None:
        raise typer.Exit(run_profile(plan, questions, output))
    raise typer.Exit(
        with_application(application, log or DEFAULT_LOG, measure=lambda: run_profile(plan, questions, output))
    )


@profile.command("check")
def check_command(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="Labelled answers, as `laar verify` reads them; `allowed` is the label."
        ),
    ],
    url: Annotated[str, typer.Option(help="The running application that has the judges.")] = DEFAULT_URL,
    judge: Annotated[
        list[str] | None, typer.Option(help="A model that judges where a line names none; several are a panel.")
    ] = None,
    custom: Annotated[list[str] | None, typer.Option(help="A check of your own, as name=module:attribute.")] = None,
    votes: Annotated[int, typer.Option(min=1, max=9, help="How often each judge is asked for one verdict.")] = 1,
    base: Annotated[str | None, typer.Option(help="The profile to write the figures into, path or name.")] = None,
    out: Annotated[Path | None, typer.Option(callback=file_to_write, help="Where to write that profile.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Answers that are checked at once.")] = 2,
    api_key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key to send; unset means none.")
    ] = "LAAR_API_KEY",
) -> None:
    """Measure how often a check calls wrong answers correct, and right ones wrong, by language with intervals."""
    from deployments.verifier.settings import JudgeSettings
    from profiles.measuring.merging import merge_checks
    from scripts.profile.check import CheckPlan, label, lines, measure, tallied
    from scripts.profile.saving import save_profile
    from scripts.verify.rows import RowError, read_rows

    _refuse((base is None) != (out is None), "--out", "--base and --out go together")
    profile = _load(base) if base else None
    plan = CheckPlan(
        url=url.rstrip("/").removesuffix("/v1"),
        judges=tuple(judge or ()),
        api_key=os.environ.get(api_key_env, "").strip(),
        custom_checks=dict(_named(text) for text in custom or ()),
        concurrency=concurrency,
        settings=JudgeSettings(votes=votes),
    )
    try:
        rows = list(read_rows(file))
        _refuse(not any(label(row) is not None for row in rows), "FILE", "no line has `allowed`, which is its label")
        found = measure(rows, plan, progress=lambda done: print(f"\r{done}", end="", file=sys.stderr, flush=True))
    except (RowError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="FILE or --custom") from error
    print(file=sys.stderr)
    checks = tallied(found)
    print("\n".join(lines(checks)))
    if silent := len(found) - sum(counts.right.total + counts.wrong.total for counts in checks):
        print(f"{silent} answers were not judged: empty, refused, or the judge did not answer")
    if profile is not None and out is not None:
        save_profile(profile.model_copy(update={"checks": merge_checks(profile.checks, checks)}), out)


def _named(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    _refuse(not name or ":" not in path, "--custom", f"'{text}'; name=module:attribute is wanted")
    return name, path


@profile.command("from-log")
def from_log_command(
    out: Annotated[Path, typer.Option(callback=file_to_write, help="Where to write the profile.")],
    base: Annotated[
        str | None, typer.Option(help="A profile, path or name, for bucket edges and for what the log does not tell.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="From when on: an age such as 30d, or an ISO date and time (UTC).")
    ] = "30d",
    log_url: Annotated[
        str | None, typer.Option(help="The log's database, without a password; else what --url-env names.")
    ] = None,
    url_env: Annotated[
        str, typer.Option(help="Environment variable with the log's URL; unset means the local SQLite.")
    ] = LOG_URL_ENV,
) -> None:
    """Fit a profile to the verdicts, feedback and latencies of live traffic, as the attempt log has them."""
    from scripts.profile.from_log import profile_from_log

    known, name = (_load(base), Path(base).name) if base else (None, "")
    profile_from_log(log_url, url_env, out=out, base=known, base_name=name, since=since)


@profile.command("merge")
def merge_command(
    profiles: Annotated[list[str], typer.Argument(help="Two profiles or more, paths or names.")],
    out: Annotated[Path, typer.Option(callback=file_to_write, help="Where to write the merged profile.")],
) -> None:
    """Add up the counts of profiles measured apart; latency is that of the newest."""
    from functools import reduce

    from profiles.measuring.merging import MergeError, merge_profiles
    from scripts.profile.saving import save_profile

    _refuse(len(profiles) < 2, "PROFILES", "two profiles or more are wanted")
    command = "laar " + " ".join(sys.argv[1:])
    try:
        loaded = sorted((_load(path) for path in profiles), key=lambda found: found.measured.at)
        merged = reduce(lambda one, other: merge_profiles(one, other, command=command), loaded)
    except MergeError as error:
        print(f"laar profile merge: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    save_profile(merged, out)
    print(f"{len(profiles)} profiles merged into {out}")


@profile.command("scale")
def scale_command(
    source: Annotated[str, typer.Argument(metavar="PROFILE", help="A path, or the name of one that ships with laar.")],
    out: Annotated[Path, typer.Option(callback=file_to_write, help="Where to write the wrong profile.")],
    most: Annotated[float, typer.Option(min=1, max=100, help="The largest factor, and the inverse of the least.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the factors.")] = 0,
) -> None:
    """Make the times of each model wrong by a factor drawn for it, to see what a router makes of such a profile."""
    from scripts.profile.saving import save_profile
    from scripts.profile.scaled import factors_of, scaled

    found = _load(source)
    factors = factors_of(found, most=most, seed=seed)
    save_profile(scaled(found, factors, command="laar " + " ".join(sys.argv[1:])), out)
    print(f"{out}: times multiplied; " + ", ".join(f"{model} by {factor:.2f}" for model, factor in factors.items()))


@profile.command("use")
def use_command(
    at: Annotated[
        Path, typer.Option(dir_okay=False, help="The file that running routers follow, `profile` of the config.")
    ],
    new: Annotated[
        Path | None, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The profile.")
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="Instead of FILE: swap with the profile before it.")] = False,
) -> None:
    """Let running routers take another profile, in one step; the one before stays beside it, as FILE.before."""
    from profiles.strict import version_of
    from scripts.profile.saving import use_former, use_profile

    _refuse((new is None) != back, "FILE, --back", "one of them is needed, and not both")
    try:
        former = use_former(at) if new is None else use_profile(new, at)
    except (OSError, ValueError) as error:
        print(f"laar profile use: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    found = _load(str(at.resolve()))
    if former is not None and (edges := _load(str(former.resolve())).bucket_edges) != found.bucket_edges:
        print(f"bucket_edges are no longer {list(edges)}: running routers will refuse it", file=sys.stderr)
    print(f"{at} is {version_of(found)}" + (f"; before it: {former}" if former is not None else ""))


@profile.command("compare")
def compare_command(
    former: Annotated[str, typer.Argument(metavar="PRESENT", help="The profile that counts now, path or name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The one that is to count.")],
    since: Annotated[str, typer.Option(help="Requests from then on: an age such as 7d, or an ISO date.")] = "7d",
    log_url: Annotated[
        str | None, typer.Option("--log", help="The log's database, without a password; else what LAAR_LOG_URL names.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How often a new profile would choose another model, for the requests of the log; it changes nothing."""
    from scripts.profile.compare import compare, lines
    from scripts.profile.from_log import attempts_since
    from scripts.tables import print_json

    one, other = _load(former), _load(new)
    # drift that both come upon is no news
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    found = compare(attempts_since(log_url, since, command="laar profile compare"), one, other)
    print_json(found) if as_json else print("\n".join(lines(found)))


@profile.command("show")
def show_command(
    source: Annotated[str, typer.Argument(metavar="PROFILE", help="A path, or the name of one that ships with laar.")],
    png: Annotated[Path | None, typer.Option(callback=png_to_write, help="Write the heat maps to this file.")] = None,
) -> None:
    """Heat maps of accuracy and of the expected time to a correct answer, by language, model and prompt length."""
    from rich.console import Console

    from scripts.profile.show import show_profile

    show_profile(_load(source), Console(), png=png)


def _load(source: str) -> Any:
    """By path or name; `./embedded` is a path, which a `Path` would make the name of one that ships with laar."""
    from profiles.profile import load_profile

    try:
        return load_profile(source)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint=source) from error


def _refuse_unused(workloads: Sequence[str], given: Mapping[str, str | int | None]) -> None:
    """Of the options that shape workloads those that would change nothing."""
    from profiles.workloads import SHORT_WORKLOADS

    for option, value in given.items():
        _refuse(
            value is not None and not workloads, option, "no workload is asked; prompts of your own are as they are"
        )
    are_short = bool(workloads) and SHORT_WORKLOADS.issuperset(workloads)
    told = f"{','.join(workloads)} comes in one length only; drop it or name another workload"
    _refuse(are_short and given["--tokens"] is not None, "--tokens", told)


def _own_prompts(path: Path) -> Any:
    from deployments.verifier.checks import SPEC
    from profiles.workloads.own import OwnPromptsError, load_prompts

    try:
        return tuple(load_prompts(path, check_verify=SPEC.validate_python))
    except OwnPromptsError as error:
        raise typer.BadParameter(str(error), param_hint="--jsonl") from error


def _questions(plan: Any) -> Any:
    try:
        if questions := plan.prompts():
            return questions
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--jsonl, --workload, --languages or --prompts") from error
    raise typer.BadParameter("there is nothing to ask; a workload with a language, or prompts of your own, are wanted")


def _refuse(is_wrong: bool, option: str, message: str) -> None:
    if is_wrong:
        raise typer.BadParameter(message, param_hint=option)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _numbers(text: str, option: str, *, least: int) -> tuple[int, ...]:
    counts = text.split(",")
    fits = all(count.isdecimal() and int(count) >= least for count in counts) and len(set(counts)) == len(counts)
    _refuse(not fits, option, f"'{text}'; different numbers from {least} up with commas between them are wanted")
    return tuple(int(count) for count in counts)
