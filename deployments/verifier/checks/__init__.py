"""The verification types, one file each, and the union of them that a request's `laar.verify` is read as.

A type is added by its file and two lines here: its import and its place in VerifySpec.
"""

from typing import Annotated, Any

import msgspec
from pydantic import Field, TypeAdapter

from deployments.contract.verdict import Evidence, OtherAnswer, Outcome, Reason, ToolCall, Verdict
from deployments.verifier.checks.answer import shown
from deployments.verifier.checks.check import Asked, Catalogue, Check, Delegated, Place, Refusal, Spec
from deployments.verifier.checks.none import NoVerify
from deployments.verifier.checks.structure.auto import Auto
from deployments.verifier.checks.structure.json_schema import JsonSchema
from deployments.verifier.checks.structure.tool_call import ToolCalls
from deployments.verifier.checks.values.choice import Choice
from deployments.verifier.checks.values.contains import Contains
from deployments.verifier.checks.values.exact import Exact
from deployments.verifier.checks.values.math import Math
from deployments.verifier.checks.values.numeric import Numeric, numbers_as_written
from deployments.verifier.checks.values.regex import Regex
from deployments.verifier.checks.witnesses.agreement import Agreement
from deployments.verifier.checks.witnesses.custom import Custom
from deployments.verifier.checks.witnesses.grounded import Grounded
from deployments.verifier.checks.witnesses.judge import Judge

__all__ = [
    "SPEC",
    "Asked",
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
    "is_refuted",
    "read_spec",
]

VerifySpec = Annotated[
    (
        NoVerify
        | Exact
        | Contains
        | Regex
        | Numeric
        | Math
        | Choice
        | JsonSchema
        | ToolCalls
        | Auto
        | Grounded
        | Agreement
        | Judge
        | Custom
    ),
    Field(discriminator="type"),
]
SPEC: TypeAdapter[Any] = TypeAdapter(VerifySpec)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_spec(spec_json: bytes) -> Any:
    """The specification in JSON as a client writes it, with its numbers exact; raises pydantic's ValidationError."""
    try:
        fields = _FIELDS.decode(spec_json)
    except msgspec.DecodeError:
        fields = {}  # pydantic says what is wrong with it
    return SPEC.validate_json(spec_json, context=numbers_as_written(fields))


def is_refuted(spec: Spec, begun: Evidence) -> bool:
    """Whether no answer that begins so can be correct; False also where it would take long to tell."""
    return isinstance(spec, Check) and spec.place(begun) is Place.INLINE and spec.is_refuted(begun)


def check(spec: Check, evidence: Evidence) -> Verdict:
    """The verdict of a check that asks no other model."""
    found = spec.read(evidence)
    return found if isinstance(found, Verdict) else shown(spec.check(found), found)
