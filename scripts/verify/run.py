"""Verdicts on rows, with the verifier's own checks and neither a server nor a model."""

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError

from deployments.contract.reply import Reply
from deployments.contract.verdict import Reason, Verdict, unknown
from deployments.verifier.checker import Checker
from deployments.verifier.checks import read_spec
from deployments.verifier.checks.check import Aids, Ask, Judging, Spec
from deployments.verifier.processes import CheckProcesses
from deployments.verifier.text.judgement import WORDS
from profiles.strict import what_is_wrong
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
        return unknown(Reason.SPEC_REFUSED, read=what_is_wrong(error.errors()[0]))
    checker = Checker(aids=recorded(row.judge_reply, spec), delegate_timeout_s=CHECK_TIMEOUT_S, processes=processes)
    return await checker.verdict(spec, row.evidence())


def recorded(judge_reply: str | None, spec: Spec) -> Aids:
    """Asks no model: the judge's reply is there already."""
    judges: dict[str, Ask] = {}
    if judge_reply is not None:
        judges[getattr(spec, "model", None) or JUDGE] = _says(Reply(200, b"", text=judge_reply))
    return Aids(judges=judges, default_judge=None, custom_checks={}, in_thread=asyncio.to_thread, judging=RECORDED)


def _says(reply: Reply) -> Ask:
    async def ask(_body: bytes) -> Reply:
        return reply

    return ask
