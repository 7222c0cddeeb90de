"""Answers of our own in many languages, against what may be said of them.

A line is [type, language, prompt or the other models' answers, answer, right]: `C` is to be called correct, `CU` may be
unknown as well, `WU` must not be called correct.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from deployments.contract.verdict import Evidence, OtherAnswer, Outcome
from deployments.verifier.checks import SPEC, check
from tests.unit.deployments.verifier.asked import C, U, W

ROWS = [json.loads(line) for line in (Path(__file__).parent / "answers.jsonl").read_text().splitlines()]
ALLOWED = {"C": {C, U}, "CU": {C, U}, "WU": {W, U}}
MOST_UNREAD = 0.02


def verdict(kind: str, language: str, given: Any, answer: str) -> Outcome:
    name, _, by = kind.partition(":")
    spec = SPEC.validate_python({"type": name, **({"by": by} if by else {})})
    others = () if isinstance(given, str) else tuple(OtherAnswer(model=str(i), answer=a) for i, a in enumerate(given))
    prompt = given if isinstance(given, str) else ""
    return check(spec, Evidence(answer=answer, prompt=prompt, language=language, model="mine", others=others)).outcome


def test_no_answer_is_called_what_it_is_not() -> None:
    assert [row for row in ROWS if verdict(*row[:4]) not in ALLOWED[row[4]]] == []


def test_what_can_be_read_is_read() -> None:
    said = Counter(verdict(*row[:4]) for row in ROWS if row[4] == "C")
    assert said[U] <= MOST_UNREAD * said.total()
    assert said.total() >= 100


def test_the_table_has_many_languages() -> None:
    assert len({row[1] for row in ROWS}) >= 30
