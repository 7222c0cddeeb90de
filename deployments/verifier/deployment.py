"""The verifier deployment: runs checks, and asks for the others: a judge model, the operator's code."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

from deployments.contract.reply import Reply
from deployments.contract.verdict import Evidence, Outcome, Verdict
from deployments.engines.engine_configs import RemotePlan
from deployments.engines.remote import RemoteModel
from deployments.engines.serve_status import Address, handle_of
from deployments.verifier.checker import Checker
from deployments.verifier.checks import SPEC, VerifySpec, check
from deployments.verifier.checks.check import Aids, Ask, Judging
from deployments.verifier.checks.values.exact import Exact
from deployments.verifier.checks.witnesses.custom import load_custom_checks
from deployments.verifier.processes import CheckProcesses

CUSTOM_THREADS = 4
CHECK_PROCESSES = 2
PROCESS_TIMEOUT_S = 5.0


class Verifier:
    """`check` gives the verdict on one answer; a check that cannot be made says unknown, never correct."""

    def __init__(
        self,
        *,
        judges: Mapping[str, Address],
        remote_judges: Sequence[RemotePlan] = (),
        default_judge: str | None,
        custom_checks: Mapping[str, str],
        judge_timeout_s: float,
        judging: Judging | None = None,
    ) -> None:
        asks: dict[str, Ask] = {name: partial(_ask_deployment, handle, name) for name, handle in judges.items()}
        asks |= {plan.name: partial(_ask_remote, RemoteModel(plan)) for plan in remote_judges}
        aids = Aids(
            judges=asks,
            default_judge=default_judge,
            custom_checks=load_custom_checks(custom_checks),
            in_thread=self._in_custom_thread,
            judging=judging or Judging(),
        )
        self._checker = Checker(
            aids=aids,
            delegate_timeout_s=judge_timeout_s,
            processes=CheckProcesses(count=CHECK_PROCESSES, check_timeout_s=PROCESS_TIMEOUT_S),
        )
        # threads of their own: a check that never returns must not take those of the others
        self._custom_threads = ThreadPoolExecutor(CUSTOM_THREADS, thread_name_prefix="custom-check")

    async def check(self, spec_json: bytes, evidence: Evidence) -> Verdict:
        return await self._checker.verdict(_parse(spec_json), evidence)

    async def check_health(self) -> None:
        """One real check with a known outcome."""
        evidence = Evidence(answer=" Four. ", prompt="", language="en", model="")
        verdict = check(Exact(type="exact", value="four"), evidence)
        if verdict.outcome is not Outcome.CORRECT:
            raise RuntimeError(f"a right answer was found {verdict.outcome}")

    async def _in_custom_thread(self, work: Callable[[], Verdict]) -> Verdict:
        return await asyncio.get_running_loop().run_in_executor(self._custom_threads, work)


async def _ask_deployment(address: Address, judge: str, body: bytes) -> Reply:
    handle: Any = await handle_of(address)
    response: Any = handle.generate.remote("chat", body, {"model": judge})
    try:
        reply: Reply = await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    return reply


async def _ask_remote(judge: RemoteModel, body: bytes) -> Reply:
    return await judge.generate("chat", body, {})


@lru_cache(maxsize=256)
def _parse(spec_json: bytes) -> VerifySpec:
    """A specification with its compiled parts, kept for the next attempt with the same one."""
    spec: VerifySpec = SPEC.validate_json(spec_json)
    return spec
