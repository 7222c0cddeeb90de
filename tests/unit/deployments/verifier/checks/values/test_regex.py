from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "answer", "expected"),
    [
        pytest.param({"pattern": "\\d{3}"}, "is 123 then", (C, "matched"), id="part"),
        pytest.param({"pattern": "\\d{3}", "full_match": True}, " 123\n", (C, "matched"), id="full-but-for-space"),
        pytest.param({"pattern": "\\d{3}", "full_match": True}, "is 123", (W, "differs"), id="not-full"),
        pytest.param({"pattern": "ja", "ignore_case": True}, "JA", (C, "matched"), id="case"),
        pytest.param({"pattern": "\\d"}, "a\ud800b", (W, "differs"), id="lone-surrogate"),
        pytest.param({"pattern": "^(a+)+$"}, "a" * 50_000 + "b", (W, "differs"), id="exponential-elsewhere"),
        pytest.param({"pattern": "(.{1,100}){1,9}$"}, "x" * 100_000, (U, "too_complex"), id="too-much-work"),
    ],
)
def test_regex(spec: dict[str, Any], answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "regex", **spec}, evidence(answer)) == expected
