"""`laar profile check`: how often a check is wrong about answers of which it is known whether they are right."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from deployments.contract.verdict import Outcome, Verdict
from deployments.engines.engine_configs import RemotePlan, RemoteSettings
from deployments.engines.remote import RemoteModel
from deployments.verifier.checker import Checker
from deployments.verifier.checks import read_spec
from deployments.verifier.checks.check import Aids, Ask, Judging
from deployments.verifier.checks.witnesses.custom import load_custom_checks
from deployments.verifier.processes import CheckProcesses
from deployments.verifier.settings import JudgeSettings
from profiles.chances.intervals import wilson
from profiles.profile import CheckCounts, VerdictTally
from profiles.strict import what_is_wrong
from scripts.verify.rows import Row
from scripts.verify.run import recorded

CHECK_TIMEOUT_S = 5.0
# Where a check has no name of its own, since it does not err, its type is it.
_UNKNOWN_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """Who is asked: `judges` on the application at `url`, and the operator's own checks by import path."""

    url: str
    judges: tuple[str, ...] = ()
    api_key: str = field(default="", repr=False)
    custom_checks: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 1
    timeout_s: float = 60.0
    settings: JudgeSettings = field(default_factory=JudgeSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An answer with what is known of it and what the check said."""

    check: str
    language: str
    is_right: bool
    verdict: Verdict


def label(row: Row) -> bool | None:
    """Whether a row's answer is right, by the verdicts that it allows; None where these do not tell."""
    if "correct" in row.allowed:
        return None if "wrong" in row.allowed else True
    return False if "wrong" in row.allowed else None


def measure(rows: Sequence[Row], plan: CheckPlan, *, progress: Callable[[int], None]) -> list[Labelled]:
    """What the checks say of the labelled rows, in their order; ValueError for a specification that is refused."""
    return asyncio.run(_measure(rows, plan, progress))


async def _measure(rows: Sequence[Row], plan: CheckPlan, progress: Callable[[int], None]) -> list[Labelled]:
    processes = CheckProcesses(count=1, check_timeout_s=CHECK_TIMEOUT_S)
    models = {name: _remote(name, plan) for name in plan.judges}
    aids = Aids(
        judges={name: _asks(model) for name, model in models.items()},
        default_judge=None,
        custom_checks=load_custom_checks(plan.custom_checks),
        in_thread=asyncio.to_thread,
        judging=Judging(settings=plan.settings.model_copy(update={"panel": plan.judges})),
    )
    slots, done = asyncio.Semaphore(plan.concurrency), 0

    async def one(number: int, row: Row, is_right: bool) -> Labelled:
        nonlocal done
        async with slots:
            found = await _labelled(number, row, is_right, aids, plan, processes)
        done += 1
        progress(done)
        return found

    labelled = [(number, row, found) for number, row in enumerate(rows, 1) if (found := label(row)) is not None]
    try:
        return list(await asyncio.gather(*(one(*each) for each in labelled)))
    finally:
        await processes.close()
        for model in models.values():
            await model.close()


async def _labelled(
    number: int, row: Row, is_right: bool, aids: Aids, plan: CheckPlan, processes: CheckProcesses
) -> Labelled:
    try:
        spec = read_spec(bytes(row.verify))
    except ValidationError as error:
        raise ValueError(f"answer {number}: verify: {what_is_wrong(error.errors()[0])}") from error
    if row.judge_reply is not None:
        aids = recorded(row.judge_reply, spec)
    checker = Checker(aids=aids, delegate_timeout_s=plan.timeout_s, processes=processes)
    verdict = await checker.verdict(spec, row.evidence())
    return Labelled(check=spec.fallible_name or spec.type, language=row.language, is_right=is_right, verdict=verdict)


def _remote(name: str, plan: CheckPlan) -> RemoteModel:
    settings = RemoteSettings.model_validate(
        {"model_id": name, "urls": [f"{plan.url}/v1"], "max_model_len": _UNKNOWN_TOKENS}
    )
    return RemoteModel(RemotePlan(name=name, settings=settings, api_key=plan.api_key))


def _asks(model: RemoteModel) -> Ask:
    return lambda body: model.generate("chat", body, {})


def tallied(found: Sequence[Labelled]) -> tuple[CheckCounts, ...]:
    """Counts by check and language; verdicts that came about beside the check tell nothing of it."""
    counts: dict[tuple[str, str], dict[bool, VerdictTally]] = defaultdict(
        lambda: {True: VerdictTally(), False: VerdictTally()}
    )
    for one in found:
        if one.verdict.is_of_the_check:
            tallies = counts[one.check, one.language]
            tallies[one.is_right] += _TALLIES[one.verdict.outcome]
    return tuple(
        CheckCounts(check=check, language=language, right=tallies[True], wrong=tallies[False])
        for (check, language), tallies in sorted(counts.items())
    )


_TALLIES = {
    Outcome.CORRECT: VerdictTally(correct=1),
    Outcome.WRONG: VerdictTally(wrong=1),
    Outcome.UNKNOWN: VerdictTally(unknown=1),
}


def lines(checks: Sequence[CheckCounts]) -> list[str]:
    """A table of each check in Markdown: errors with their 95 % intervals by language, and of all together."""
    by_check: dict[str, list[CheckCounts]] = defaultdict(list)
    for counts in checks:
        by_check[counts.check].append(counts)
    found: list[str] = []
    for check, each in by_check.items():
        found += [
            f"| {check} | right | false rejects | unknown | wrong | false accepts | unknown |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        rows = [(counts.language, counts.right, counts.wrong) for counts in each]
        if len(each) > 1:
            rows.append(
                ("all", sum((c.right for c in each), VerdictTally()), sum((c.wrong for c in each), VerdictTally()))
            )
        found += [f"| {language} | {' | '.join(_cells(right, wrong))} |" for language, right, wrong in rows]
    return found


def _cells(right: VerdictTally, wrong: VerdictTally) -> tuple[str, ...]:
    return (
        str(right.total),
        _share(right.wrong, right.total),
        _share(right.unknown, right.total),
        str(wrong.total),
        _share(wrong.correct, wrong.total),
        _share(wrong.unknown, wrong.total),
    )


def _share(count: int, total: int) -> str:
    if not total:
        return "-"
    low, high = wilson(count, total)
    return f"{count / total:.3f} ({low:.3f}-{high:.3f})"
