"""One check, run where its type says."""

import asyncio
from dataclasses import dataclass, replace

from msgspec.structs import replace as with_fields

from deployments.contract.verdict import Evidence, Reason, Verdict, unknown
from deployments.verifier.checks import Check, Delegated, Place, VerifySpec, check
from deployments.verifier.checks.answer import shown
from deployments.verifier.checks.check import Aids
from deployments.verifier.processes import CheckProcesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """A verdict for any specification; a check that cannot be made says unknown, never correct."""

    aids: Aids
    delegate_timeout_s: float
    processes: CheckProcesses

    async def verdict(self, spec: VerifySpec, evidence: Evidence) -> Verdict:
        if isinstance(spec, Check) and (place := spec.place(evidence)) is not Place.PROCESS:
            return check(spec, evidence) if place is Place.INLINE else await asyncio.to_thread(check, spec, evidence)
        found = await asyncio.to_thread(spec.read, evidence)
        if isinstance(found, Verdict):
            return found
        ask = self._delegate(spec, found) if isinstance(spec, Delegated) else self._in_process(spec, found)
        return shown(await ask, found)

    async def _in_process(self, spec: Check, evidence: Evidence) -> Verdict:
        return await self.processes.check(spec.model_dump_json().encode(), evidence)

    async def _delegate(self, spec: Delegated, evidence: Evidence) -> Verdict:
        aids = replace(self.aids, asked=[])
        try:
            async with asyncio.timeout(self.delegate_timeout_s):
                found = await spec.delegate(evidence, aids)
        except TimeoutError:
            found = unknown(Reason.TIMED_OUT)
        return with_fields(found, judges=tuple(aids.asked))
