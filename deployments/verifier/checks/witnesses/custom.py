"""`custom`: the operator's own code says."""

import logging
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Annotated, Literal

from pydantic import StringConstraints

from deployments.contract.verdict import Evidence, Reason, Verdict, correct, unknown, wrong
from deployments.verifier.checks.check import Aids, Catalogue, CustomCheck, Delegated, Refusal

logger = logging.getLogger("ray.serve")


class Custom(Delegated):
    """A check that the operator has configured under this name."""

    needs_prompt = True
    needs_others = True
    # operators may know more of cut answers and calls than we do
    reads_cut = True
    reads_calls = True

    type: Literal["custom"]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]

    @property
    def fallible_name(self) -> str:
        return f"custom:{self.name}"

    def refusal(self, catalogue: Catalogue) -> Refusal | None:
        if self.name in catalogue.custom_checks:
            return None
        known = ", ".join(sorted(catalogue.custom_checks)) or "none, as the config has no verifier.custom_checks"
        return Refusal(field="name", message=f"unknown check '{self.name}'; known: {known}")

    async def delegate(self, evidence: Evidence, aids: Aids) -> Verdict:
        custom = aids.custom_checks.get(self.name)
        if custom is None:
            return unknown(Reason.NO_CHECK)
        return await aids.in_thread(partial(run_custom, custom, evidence))


def load_custom_checks(paths: Mapping[str, str]) -> dict[str, CustomCheck]:
    """The operator's own checks by name; ValueError names the import path that does not work."""
    return {name: _import(name, path) for name, path in paths.items()}


def run_custom(custom: CustomCheck, evidence: Evidence) -> Verdict:
    """A custom check that raises, or returns neither a verdict nor a bool, cannot tell."""
    try:
        result: object = custom(evidence)
    except Exception as error:
        # foreign code: its message may quote the answer, so only the error's type is logged
        logger.error("custom check failed", extra={"error": type(error).__name__})
        return unknown(Reason.CHECK_FAILED)
    if isinstance(result, Verdict):
        return result
    if not isinstance(result, bool):
        logger.error("custom check returned neither a verdict nor a bool", extra={"type": type(result).__name__})
        return unknown(Reason.CHECK_FAILED)
    return correct(Reason.CHECK_PASSED) if result else wrong(Reason.CHECK_REFUSED)


def _import(name: str, path: str) -> CustomCheck:
    module, _, attribute = path.partition(":")
    try:
        found: CustomCheck = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"verifier.custom_checks.{name}: cannot import '{path}': {error}") from error
    if not callable(found):
        raise ValueError(f"verifier.custom_checks.{name}: '{path}' is not callable")
    return found
