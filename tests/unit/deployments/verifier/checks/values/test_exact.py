from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "language", "answer", "expected"),
    [
        pytest.param({"value": "Paris"}, "en", "**paris**.", (C, "matched"), id="en"),
        pytest.param({"value": "Paris"}, "en", "It is Paris", (W, "differs"), id="en-more-than-asked"),
        pytest.param({"value": "Paris", "ignore_case": False}, "en", "paris", (W, "differs"), id="en-case"),
        pytest.param({"value": ["Paris", "巴黎"]}, "zh", "巴 黎。", (C, "matched"), id="zh-alternative"),
        pytest.param({"value": "Straße"}, "de", "STRASSE!", (C, "matched"), id="de"),
        pytest.param({"value": "été"}, "fr", "« É\u0301te\u0301 »".replace("É\u0301", "É"), (C, "matched"), id="fr"),
        pytest.param({"value": "Quién"}, "es", "¿quién?", (C, "matched"), id="es"),
        pytest.param({"value": "トウキョウ"}, "ja", "「ﾄｳｷｮｳ」", (C, "matched"), id="ja"),
        pytest.param({"value": "محمد"}, "ar", "مُحَمَّد", (C, "matched"), id="ar"),
        pytest.param({"value": "४२"}, "hi", "42।", (C, "matched"), id="hi"),
        pytest.param({"value": "กรุงเทพ"}, "th", "กรุง เทพ", (C, "matched"), id="th"),
        pytest.param({"value": "ısparta"}, "tr", "ISPARTA", (C, "matched"), id="tr"),
        pytest.param({"value": "isparta"}, "tr", "ISPARTA", (W, "differs"), id="tr-dotted-is-another-letter"),
        pytest.param({"value": "I"}, "tr", "ı", (U, "unclear"), id="tr-numeral-or-letter"),
        pytest.param({"value": "I"}, "tr", "I.", (C, "matched"), id="tr-alone"),
        pytest.param({"value": "Москва"}, "ru", "МОСКВА.", (C, "matched"), id="ru"),
    ],
)
def test_exact(spec: dict[str, Any], language: str, answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "exact", **spec}, evidence(answer, language)) == expected
