"""A check of an operator's own, named in the test application's config."""

from deployments.verifier.checks import Evidence


def is_short(evidence: Evidence) -> bool:
    return len(evidence.answer) < 1000
