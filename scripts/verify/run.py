"""Verdicts on rows, with the verifier's own checks and neither a server nor a model."""

import asyncio
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from deployments.contract.reply import Reply
from deployments.contract.verdict import Reason, Verdict, unknown
from deployments.verifier.checker import Checker
from deployments.verifier.checks import read_spec
from deployments.verifier.checks.check import Aids, Ask, Judging
from deployments.verifier.processes import CheckProcesses
from deployments.verifier.text.judgement import WORDS
from scripts.verify.rows import Row

CHECK_TIMEOUT_S = 5.0
JUDGE = "judge"
# a reply that is there already was asked for in the usual words
RECORDED = Judging(words=WORDS[:1])


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """One verdict a row, in their order."""
    return asyncio.run(_verdicts(rows))


async def _verdicts(rows: Sequence[Row]) -> list[Verdict]:
    processes = CheckProcesses(count=1, check_timeout_s=CHECK_TIMEOUT_S)
    try:
        return [await _verdict(row, processes) for row in rows]
    finally:
        await processes.close()


async def _verdict(row: Row, processes: CheckProcesses) -> Verdict:
    try:
        spec = read_spec(bytes(row.verify))
    except ValidationError as error:
        return unknown(Reason.SPEC_REFUSED, read=error.errors(include_url=False)[0]["msg"])
    judges: dict[str, Ask] = {}
    if row.judge_reply is not None:
        reply = Reply(200, b"", text=row.judge_reply)
        judges[getattr(spec, "model", None) or JUDGE] = _says(reply)
    aids = Aids(judges=judges, default_judge=None, custom_checks={}, in_thread=_in_thread, judging=RECORDED)
    checker = Checker(aids=aids, delegate_timeout_s=CHECK_TIMEOUT_S, processes=processes)
    return await checker.verdict(spec, row.evidence())


def _says(reply: Reply) -> Ask:
    async def ask(_body: bytes) -> Reply:
        return reply

    return ask


async def _in_thread(work: Callable[[], Verdict]) -> Verdict:
    return await asyncio.to_thread(work)
