"""A table of answers in 70 languages, each with the number it says and numbers it does not say."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import evidence, outcome

TABLE = Path(__file__).with_name("answers.jsonl")


def _rows() -> Iterator[dict[str, Any]]:
    with TABLE.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _outcome(row: dict[str, Any], value: str) -> Outcome:
    spec = {"type": "numeric", "value": Decimal(value), **row.get("more", {})}
    found = evidence(row["answer"], row["language"], finish_reason=row.get("finish_reason"))
    return outcome(spec, found)[0]


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in _rows() if "right" in row])
def test_a_plain_number_is_correct(row: dict[str, Any]) -> None:
    assert _outcome(row, row["right"]) is Outcome.CORRECT


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in _rows() if "right_or_unknown" in row])
def test_a_number_that_is_hard_to_read_is_never_wrong(row: dict[str, Any]) -> None:
    assert _outcome(row, row["right_or_unknown"]) is not Outcome.WRONG


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in _rows() if row["not"]])
def test_another_number_is_never_correct(row: dict[str, Any]) -> None:
    assert [value for value in row["not"] if _outcome(row, value) is Outcome.CORRECT] == []
