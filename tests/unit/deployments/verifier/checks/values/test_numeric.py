from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import C, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "language", "answer", "expected"),
    [
        pytest.param({"value": 1234.5}, "de", "Das sind 1.234,5 Meter.", (C, "matched"), id="de"),
        pytest.param({"value": 1234.5}, "en", "That is 1,234.5 m.", (C, "matched"), id="en"),
        pytest.param({"value": 1234.5}, "en", "That is 1234.6", (W, "out_of_tolerance"), id="en-off"),
        pytest.param({"value": 42}, "ar", "الجواب ٤٢", (C, "matched"), id="ar"),
        pytest.param({"value": 42}, "hi", "उत्तर ४२ है", (C, "matched"), id="hi"),
        pytest.param({"value": 42}, "ja", "答えは４２です", (C, "matched"), id="ja"),
        pytest.param({"value": 42}, "th", "๔๒", (C, "matched"), id="th"),
        pytest.param({"value": -7}, "en", "minus: −7", (C, "matched"), id="minus"),
        pytest.param({"value": 1.0, "tolerance": 0.1}, "en", "1.1", (C, "matched"), id="on-the-edge-in-decimals"),
        pytest.param({"value": 1.0, "tolerance": 0.1}, "en", "1.1001", (W, "out_of_tolerance"), id="past-the-edge"),
        pytest.param({"value": 200, "relative_tolerance": 0.01}, "en", "202", (C, "matched"), id="relative"),
        pytest.param(
            {"value": 200, "relative_tolerance": 0.01}, "en", "203", (W, "out_of_tolerance"), id="relative-off"
        ),
        pytest.param({"value": 1e-13}, "en", "0", (W, "out_of_tolerance"), id="small-values-count"),
        pytest.param({"value": 50}, "en", "50%", (C, "matched"), id="percent"),
        pytest.param({"value": 0.5}, "en", "50 %", (C, "matched"), id="percent-as-share"),
        pytest.param({"value": 5}, "en", "2 + 3 = 5", (C, "matched"), id="last"),
        pytest.param({"value": 2}, "en", "2 + 3 = 5", (W, "out_of_tolerance"), id="last-only"),
        pytest.param({"value": 2, "which": "first"}, "en", "2 + 3 = 5", (C, "matched"), id="first"),
        pytest.param({"value": 3, "which": "any"}, "en", "2 + 3 = 5", (C, "matched"), id="any"),
        pytest.param({"value": 3}, "en", "three", (W, "no_number"), id="no-number"),
    ],
)
def test_numeric(spec: dict[str, Any], language: str, answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "numeric", **spec}, evidence(answer, language)) == expected
