"""What holds of every check and any answer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deployments.contract.verdict import CUT, Evidence, OtherAnswer, Outcome, ToolCall
from deployments.verifier.checks import SPEC, check

PROMPT = "In Paris there were 12 of 3.5 Euro. Which one is right? A) first B) second C) third"
SPECS: dict[str, dict[str, Any]] = {
    "exact": {"type": "exact", "value": ["Paris", "12"]},
    "contains": {"type": "contains", "value": ["Paris", "12"]},
    "contains all": {"type": "contains", "value": ["Paris", "12"], "mode": "all"},
    "regex": {"type": "regex", "pattern": "12|Paris"},
    "regex at the end": {"type": "regex", "pattern": "(12|Paris)$"},
    "regex of all": {"type": "regex", "pattern": "[0-9 .]+", "full_match": True},
    "numeric last": {"type": "numeric", "value": 12},
    "numeric first": {"type": "numeric", "value": 12, "which": "first"},
    "numeric any": {"type": "numeric", "value": 12, "which": "any", "tolerance": 0.5},
    "choice": {"type": "choice", "value": "B"},
    "json": {"type": "json_schema", "schema": {"type": ["object", "integer"]}},
    "json in a fence": {"type": "json_schema", "schema": {"type": "object"}, "extract": "fence"},
    "json embedded": {"type": "json_schema", "schema": {"type": "object"}, "extract": "embedded"},
    "tool call": {"type": "tool_call", "calls": [{"name": "f", "schema": {"required": ["a"]}}]},
    "grounded": {"type": "grounded"},
    "agreement by text": {"type": "agreement"},
    "agreement by number": {"type": "agreement", "by": "numeric"},
    "agreement by choice": {"type": "agreement", "by": "choice"},
    "auto": {"type": "auto"},
}
PIECES = [
    *("12", "1", "2", "34", "3.5", ".", ",", " ", "-", "%", "½", "/", "^2", " million", "三", "\n", "\\frac{1}{2}"),
    *("Paris", "Par", "is", "no", " not ", "and", "Euro", "**", '"', "```", "```json\n", "A", "B", "C) third", "(B)"),
    # what is looked for, more often than by chance
    *("12", "12", "Paris", "Paris", "B"),
    *("The answer is ", "So ", "or ", "rather ", '{"a": 1}', "{", "}", '"a"', ": 1", "[1]", "I don't know"),
]
ANSWERS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
SPEC_OF = {name: SPEC.validate_python(spec) for name, spec in SPECS.items()}


def outcome(name: str, answer: str, **known: Any) -> Outcome:
    others = (OtherAnswer(model="other", answer="B"), OtherAnswer(model="third", answer="It is 12."))
    calls = (ToolCall(name="f", arguments=answer),) if name == "tool call" else ()
    evidence = Evidence(answer=answer, prompt=PROMPT, language="en", model="m", others=others, tool_calls=calls)
    return check(SPEC_OF[name], replace(evidence, **known)).outcome


@pytest.mark.parametrize("name", SPECS)
@settings(max_examples=25)
@given(answer=ANSWERS)
def test_cutting_an_answer_never_makes_it_correct(name: str, answer: str) -> None:
    if outcome(name, answer) is not Outcome.CORRECT:
        cuts = [answer[:end] for end in range(1, len(answer))]
        assert [cut for cut in cuts if outcome(name, cut, finish_reason=CUT) is Outcome.CORRECT] == []


@pytest.mark.parametrize("name", [name for name in SPECS if name != "tool call"])
@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param("<think>It is 12, or Paris? A or B.</think>{}", id="after-thinking"),
        pytest.param("12 B Paris</think>\n{}", id="after-thinking-that-the-template-opened"),
        pytest.param("{}<|im_end|>", id="end-of-text"),
        pytest.param("<answer>{}</answer>", id="answer-tag"),
        pytest.param("\n {} \n\n", id="white-space"),
    ],
)
@settings(max_examples=12)
@given(answer=ANSWERS)
def test_what_stands_around_an_answer_does_not_change_the_verdict(name: str, wrapped: str, answer: str) -> None:
    assert outcome(name, wrapped.format(answer)) is outcome(name, answer)
