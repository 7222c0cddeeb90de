"""One check, run where its type says."""

import asyncio
from dataclasses import dataclass

from deployments.contract.verdict import Evidence, Reason, Verdict, unknown
from deployments.verifier.checks import Check, Delegated, Place, VerifySpec, check, settled
from deployments.verifier.checks.answer import readable
from deployments.verifier.checks.check import Aids
from deployments.verifier.processes import CheckProcesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """A verdict for any specification; a check that cannot be made says unknown, never correct."""

    aids: Aids
    delegate_timeout_s: float
    processes: CheckProcesses

    async def verdict(self, spec: VerifySpec, evidence: Evidence) -> Verdict:
        if isinstance(spec, Delegated):
            return settled(spec, evidence) or await self._delegate(spec, evidence)
        match spec.place(evidence):
            case Place.INLINE:
                return check(spec, evidence)
            case Place.THREAD:
                return await asyncio.to_thread(check, spec, evidence)
            case Place.PROCESS:
                return settled(spec, evidence) or await self._in_process(spec, evidence)

    async def _in_process(self, spec: Check, evidence: Evidence) -> Verdict:
        return await self.processes.check(spec.model_dump_json().encode(), readable(evidence))

    async def _delegate(self, spec: Delegated, evidence: Evidence) -> Verdict:
        try:
            async with asyncio.timeout(self.delegate_timeout_s):
                return await spec.delegate(readable(evidence), self.aids)
        except TimeoutError:
            return unknown(Reason.TIMED_OUT)
