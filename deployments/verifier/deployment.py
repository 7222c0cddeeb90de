"""The verifier deployment: runs the pure checks, and asks whom they need: a judge model, the operator's code."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.contract.reply import Reply
from deployments.engines.remote import RemoteModel
from deployments.engines.settings import RemotePlan
from deployments.verifier.checks import (
    CustomCheck,
    Evidence,
    Outcome,
    Reason,
    Spec,
    Verdict,
    check,
    choose_judge,
    judge_request,
    load_custom_checks,
    read_judgement,
    run_custom,
    settle,
)
from deployments.verifier.spec import SPEC, Custom, Exact, JsonSchema, Judge, Regex

logger = logging.getLogger("ray.serve")

# below this a check is over sooner than a thread has taken it up
INLINE_CHARS = 20_000
CUSTOM_THREADS = 4
# A judge asked with the bytes of a chat request.
Ask = Callable[[bytes], Awaitable[Reply]]


class Verifier:
    """`check` gives the verdict on one answer; a check that cannot be made says unknown, never correct."""

    def __init__(
        self,
        *,
        judges: Mapping[str, DeploymentHandle],
        remote_judges: Sequence[RemotePlan] = (),
        default_judge: str | None,
        custom_checks: Mapping[str, str],
        judge_timeout_s: float,
    ) -> None:
        self._judges: dict[str, Ask] = {name: partial(_ask_deployment, handle) for name, handle in judges.items()}
        self._judges |= {plan.name: partial(_ask_remote, RemoteModel(plan)) for plan in remote_judges}
        self._default_judge = default_judge
        self._custom = load_custom_checks(custom_checks)
        self._timeout_s = judge_timeout_s
        # threads of their own: a check that never returns must not take those of the others
        self._custom_threads = ThreadPoolExecutor(CUSTOM_THREADS, thread_name_prefix="custom-check")

    async def check(self, spec_json: bytes, evidence: Evidence) -> Verdict:
        spec = _parse(spec_json)
        if (settled := settle(spec, evidence)) is not None:
            return settled
        if isinstance(spec, Judge):
            return await self._judge(spec, evidence)
        if isinstance(spec, Custom):
            return await self._run_custom(self._custom.get(spec.name), evidence)
        if _is_quick(spec, evidence):
            return check(spec, evidence)
        return await asyncio.to_thread(check, spec, evidence)

    async def check_health(self) -> None:
        """One real check with a known outcome."""
        evidence = Evidence(answer=" Four. ", prompt="", language="en", model="")
        verdict = check(Exact(type="exact", value="four"), evidence)
        if verdict.outcome is not Outcome.CORRECT:
            raise RuntimeError(f"a right answer was found {verdict.outcome}")

    async def _judge(self, spec: Judge, evidence: Evidence) -> Verdict:
        judge = choose_judge(spec, evidence, tuple(self._judges), self._default_judge)
        if judge is None:
            # the judge asked for can still judge the answer of another model
            reason = Reason.JUDGE_ANSWERED if spec.model in self._judges else Reason.NO_JUDGE
            return Verdict(outcome=Outcome.UNKNOWN, reason=reason)
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._judges[judge](judge_request(spec, evidence))
        except TimeoutError:
            return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.TIMED_OUT)
        except Exception:
            # as in the router's backend: which types a replica's failures have depends on how Ray carried the call
            logger.warning("judge failed", exc_info=True, extra={"model": judge})
            return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.JUDGE_FAILED)
        if reply.status >= 400:
            return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.JUDGE_FAILED)
        return read_judgement(reply.text)

    async def _run_custom(self, custom: CustomCheck | None, evidence: Evidence) -> Verdict:
        if custom is None:
            return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.NO_CHECK)
        try:
            async with asyncio.timeout(self._timeout_s):
                running = asyncio.get_running_loop().run_in_executor(self._custom_threads, run_custom, custom, evidence)
                return await running
        except TimeoutError:
            return Verdict(outcome=Outcome.UNKNOWN, reason=Reason.TIMED_OUT)


async def _ask_deployment(judge: DeploymentHandle, body: bytes) -> Reply:
    response: Any = judge.generate.remote("chat", body, {})
    try:
        reply: Reply = await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    return reply


async def _ask_remote(judge: RemoteModel, body: bytes) -> Reply:
    return await judge.generate("chat", body, {})


def _is_quick(spec: Spec, evidence: Evidence) -> bool:
    """A client's pattern or schema may take a second on a short answer, the others only on a long text."""
    size_chars = len(evidence.answer) + len(evidence.prompt) + sum(len(other.answer) for other in evidence.others)
    return size_chars < INLINE_CHARS and not isinstance(spec, JsonSchema | Regex)


@lru_cache(maxsize=256)
def _parse(spec_json: bytes) -> Spec:
    """A specification with its compiled parts, kept for the next attempt with the same one."""
    spec: Spec = SPEC.validate_json(spec_json)
    return spec
