"""A table of answers in 70 languages, each with the number it says and numbers it does not say."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import evidence, outcome

ROWS = [json.loads(line) for line in Path(__file__).with_name("answers.jsonl").read_text("utf-8").splitlines()]


def _outcome(row: dict[str, Any], value: str) -> Outcome:
    spec = {"type": "numeric", "value": Decimal(value), **row.get("more", {})}
    found = evidence(row["answer"], row["language"], finish_reason=row.get("finish_reason"))
    return outcome(spec, found)[0]


def test_a_plain_number_is_correct() -> None:
    rows = [row for row in ROWS if "right" in row]
    assert [row["id"] for row in rows if _outcome(row, row["right"]) is not Outcome.CORRECT] == []


def test_a_number_that_is_hard_to_read_is_never_wrong() -> None:
    rows = [row for row in ROWS if "right_or_unknown" in row]
    assert [row["id"] for row in rows if _outcome(row, row["right_or_unknown"]) is Outcome.WRONG] == []


def test_another_number_is_never_correct() -> None:
    tried = [(row, value) for row in ROWS for value in row["not"]]
    assert [(row["id"], value) for row, value in tried if _outcome(row, value) is Outcome.CORRECT] == []
