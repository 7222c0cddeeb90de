import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deployments.contract.verdict import Outcome, Reason
from deployments.verifier.checks import SPEC
from deployments.verifier.checks.check import Place
from deployments.verifier.processes import CheckProcesses
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome

TABLE = Path(__file__).with_name("expressions.jsonl")


def _rows() -> Iterator[Any]:
    with TABLE.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield pytest.param(row, id=row["id"])


@pytest.mark.parametrize("row", [*_rows()])
def test_only_equal_expressions_are_correct_and_only_others_wrong(row: dict[str, Any]) -> None:
    found, _ = outcome({"type": "math", "value": row["value"]}, evidence(row["answer"]))
    if row["equal"]:
        assert found is (U if row.get("unproven") else C)
    else:
        assert found in (W, U)


@pytest.mark.parametrize(
    ("value", "answer", "expected"),
    [
        pytest.param("12", "So the answer is 12.", (C, "matched"), id="number-in-prose"),
        pytest.param("12", "First 12, then \\boxed{14}.", (W, "differs"), id="the-box-counts"),
        pytest.param("12", "It is $12$ or $13$.", (U, "no_expression"), id="choice"),
        pytest.param("12", "It is not $12$.", (U, "no_expression"), id="denied"),
        pytest.param("12", "Is it $12$?", (U, "no_expression"), id="question"),
        pytest.param("12", "I cannot say.", (U, "no_expression"), id="none"),
        pytest.param("\\sqrt{2}", "1.41", (U, "unproven"), id="rounded"),
        pytest.param("\\sqrt{2}", "1.42", (W, "differs"), id="rounded-wrongly"),
        pytest.param("5", "2+3", (U, "unproven"), id="not-worked-out"),
        pytest.param("5 \\text{ cm}", "$5$ m", (U, "unproven"), id="another-unit"),
        pytest.param("x = 5", "$y = 5$", (U, "unproven"), id="another-unknown"),
        pytest.param("\\ln(x^2)", "$2 \\ln x$", (U, "unproven"), id="equal-for-positive-numbers"),
        pytest.param("x", "\\boxed{" + "(" * 31 + "x" + ")" * 31 + "}", (U, "no_expression"), id="too-deep"),
        pytest.param("x", "$" + "9" * 100 + "$", (U, "no_expression"), id="too-many-digits"),
    ],
)
def test_math(value: str, answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome({"type": "math", "value": value}, evidence(answer)) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("seven apples", id="two"),
        pytest.param("Paris", id="one"),
        pytest.param("семь", id="not-latin"),
        pytest.param("the answer is five", id="sentence"),
        pytest.param("not the sea", id="short-words"),
    ],
)
def test_words_are_no_expression(value: str) -> None:
    with pytest.raises(ValidationError, match="words are no expression"):
        SPEC.validate_python({"type": "math", "value": value})


@pytest.mark.parametrize("value", ["Infinity", "abcd", "alpha", "sin pi", "\\infty", "ab", "x y z", "πr"])
def test_names_and_products_of_unknowns_are_expressions(value: str) -> None:
    SPEC.validate_python({"type": "math", "value": value})


def test_algebra_runs_only_in_a_process_that_can_be_killed() -> None:
    assert SPEC.validate_python({"type": "math", "value": "1"}).place(evidence("1")) is Place.PROCESS


async def test_an_expression_that_explodes_is_unknown_and_a_plain_one_is_read() -> None:
    spec = b'{"type": "math", "value": "3"}'
    hasty, patient = (CheckProcesses(count=1, check_timeout_s=timeout_s) for timeout_s in (0.3, 60))
    try:
        assert (await hasty.check(spec, evidence("9^{9^{9^{9}}}"))).reason is Reason.TIMED_OUT
        assert (await patient.check(spec, evidence("$1+2$"))).outcome in (U, C)
        assert (await patient.check(spec, evidence("$3$"))).outcome is C
    finally:
        await hasty.close()
        await patient.close()
