from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import C, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "language", "answer", "expected"),
    [
        pytest.param({"value": "blue whale"}, "en", "The **Blue** Whale!", (C, "matched"), id="en-markup-inside"),
        pytest.param({"value": "5"}, "en", "There are 15.", (W, "missing"), id="en-part-of-a-number"),
        pytest.param({"value": ["a1", "b2"]}, "en", "only b2", (C, "matched"), id="any"),
        pytest.param({"value": ["a1", "b2"], "mode": "all"}, "en", "only b2", (W, "missing"), id="all"),
        pytest.param({"value": ["a1", "b2"], "mode": "all"}, "en", "b2, a1", (C, "matched"), id="all-there"),
        pytest.param({"value": "haus"}, "de", "Rathaus", (W, "missing"), id="de-compound"),
        pytest.param({"value": "haus", "substring": True}, "de", "Rathaus", (C, "matched"), id="de-substring"),
        pytest.param({"value": "5", "substring": True}, "en", "It is 15.", (C, "matched"), id="en-substring"),
        pytest.param({"value": "北京市"}, "zh", "答案是 北京 市。", (C, "matched"), id="zh"),
        pytest.param({"value": "१२"}, "hi", "उत्तर १२ है", (C, "matched"), id="hi"),
    ],
)
def test_contains(spec: dict[str, Any], language: str, answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "contains", **spec}, evidence(answer, language)) == expected
