"""The verification types, one file each, and the union of them that a request's `laar.verify` is read as.

A type is added by its file and two lines here: its import and its place in VerifySpec.
"""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from deployments.contract.verdict import Evidence, OtherAnswer, Outcome, Reason, ToolCall, Verdict, unknown
from deployments.verifier.checks.answer import readable, settle
from deployments.verifier.checks.check import Catalogue, Check, Delegated, Place, Refusal, Spec
from deployments.verifier.checks.none import NoVerify
from deployments.verifier.checks.structure.json_schema import JsonSchema
from deployments.verifier.checks.values.contains import Contains
from deployments.verifier.checks.values.exact import Exact
from deployments.verifier.checks.values.numeric import Numeric
from deployments.verifier.checks.values.regex import Regex
from deployments.verifier.checks.witnesses.agreement import Agreement
from deployments.verifier.checks.witnesses.custom import Custom
from deployments.verifier.checks.witnesses.grounded import Grounded
from deployments.verifier.checks.witnesses.judge import Judge

__all__ = [
    "SPEC",
    "Catalogue",
    "Check",
    "Delegated",
    "Evidence",
    "NoVerify",
    "OtherAnswer",
    "Outcome",
    "Place",
    "Reason",
    "Refusal",
    "Spec",
    "ToolCall",
    "Verdict",
    "VerifySpec",
    "check",
    "settled",
]

VerifySpec = Annotated[
    NoVerify | Exact | Contains | Regex | Numeric | JsonSchema | Grounded | Agreement | Judge | Custom,
    Field(discriminator="type"),
]
SPEC: TypeAdapter[Any] = TypeAdapter(VerifySpec)


def settled(spec: Spec, evidence: Evidence) -> Verdict | None:
    """The verdict where any check would say the same, so that nobody need be asked; else None."""
    return unknown(Reason.NOT_REQUESTED) if isinstance(spec, NoVerify) else settle(evidence)


def check(spec: Check, evidence: Evidence) -> Verdict:
    """The verdict of a check that needs nobody else."""
    return settled(spec, evidence) or spec.check(readable(evidence))
