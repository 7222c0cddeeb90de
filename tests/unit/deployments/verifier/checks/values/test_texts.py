"""Texts of many languages and scripts, compared by `exact`, `contains` and `regex`."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from deployments.contract.verdict import Outcome
from deployments.verifier.checks import SPEC, check
from tests.unit.deployments.verifier.asked import C, U, W, evidence

# type, value or pattern, language, answer, and C: correct; C?: not wrong; W: not correct
ROWS = [json.loads(line) for line in Path(__file__).with_name("texts.jsonl").read_text("utf-8").splitlines()]
ALLOWED = {"C": {C}, "C?": {C, U}, "W": {W, U}}


def verdict(kind: str, value: str, language: str, answer: str, finish_reason: str | None = None) -> Outcome:
    spec: dict[str, Any] = {"type": kind, "pattern" if kind == "regex" else "value": value}
    found = replace(evidence(answer, language), finish_reason=finish_reason)
    return check(SPEC.validate_python(spec), found).outcome


def test_texts() -> None:
    assert [row for row in ROWS if verdict(*row[:4]) not in ALLOWED[row[4]]] == []


def test_most_of_what_is_not_right_is_called_wrong() -> None:
    outcomes = [verdict(*row[:4]) for row in ROWS if row[4] == "W"]
    assert outcomes.count(W) / len(outcomes) >= 0.5


@given(row=st.sampled_from(ROWS), wrapping=st.sampled_from(["**{}**", "\n{}\n", '"{}"', "> {}", "{}\n"]))
def test_wrapping_makes_no_other_answer_of_it(row: list[str], wrapping: str) -> None:
    kind, value, language, answer, allowed = row
    # emphasis within emphasis, or around a fence, is no markup
    if kind != "regex" and "```" not in answer and "*" not in answer:
        assert verdict(kind, value, language, wrapping.format(answer)) in ALLOWED[allowed] | {U}


@given(row=st.sampled_from(ROWS), length=st.integers(0, 40))
def test_cutting_an_answer_never_makes_it_correct(row: list[str], length: int) -> None:
    kind, value, language, answer, _ = row
    if verdict(kind, value, language, answer[:length], "length") is C:
        assert verdict(kind, value, language, answer) is C


@given(row=st.sampled_from(ROWS), more=st.text("abcЖ 5.-!'", max_size=8))
def test_what_a_cut_answer_has_right_stays_right_however_it_goes_on(row: list[str], more: str) -> None:
    kind, value, language, answer, _ = row
    if verdict(kind, value, language, answer, "length") is C:
        assert verdict(kind, value, language, answer + more) is C
