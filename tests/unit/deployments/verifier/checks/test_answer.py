from typing import Any

import pytest

from deployments.contract.verdict import Evidence, OtherAnswer, ToolCall, Verdict
from deployments.verifier.checks import SPEC, check
from tests.unit.deployments.verifier.asked import C, U, W

PARIS = {"type": "exact", "value": "Paris"}
CALL = ToolCall(name="find", arguments="{}")


def verdict(answer: str, spec: dict[str, Any] = PARIS, **known: Any) -> Verdict:
    evidence = Evidence(answer=answer, prompt="", language="en", model="m", **known)
    return check(SPEC.validate_python(spec), evidence)


@pytest.mark.parametrize(
    ("answer", "known", "expected"),
    [
        pytest.param("", {}, (W, "empty_answer"), id="empty"),
        pytest.param("<think>Paris</think> \n", {}, (W, "empty_answer"), id="only-thought"),
        pytest.param("", {"finish_reason": "length"}, (U, "cut_off"), id="cut-before-the-first-word"),
        pytest.param("Paris", {"finish_reason": "length"}, (U, "cut_off"), id="cut"),
        pytest.param("Paris", {"finish_reason": "stop"}, (C, "matched"), id="complete"),
        pytest.param("<think>It is Paris", {}, (U, "thinking_unfinished"), id="thinking-unfinished"),
        pytest.param("", {"tool_calls": (CALL,)}, (U, "tool_calls"), id="only-calls"),
        pytest.param("Paris", {"tool_calls": (CALL,)}, (C, "matched"), id="words-beside-calls"),
        pytest.param("", {"refusal": "I cannot help."}, (W, "refused"), id="refusal"),
        pytest.param("Paris", {"refusal": "I cannot help."}, (C, "matched"), id="words-beside-a-refusal"),
    ],
)
def test_what_no_check_could_read_is_settled_before_any_check(
    answer: str, known: dict[str, Any], expected: tuple[Any, str]
) -> None:
    found = verdict(answer, **known)
    assert (found.outcome, found.reason.value) == expected


@pytest.mark.parametrize(
    ("answer", "known", "expected"),
    [
        pytest.param("<think>Rome?</think>Paris", {}, "Paris", id="answer"),
        pytest.param("a" * 400, {}, "a" * 255 + "…", id="long"),
        pytest.param("", {"refusal": "I cannot help."}, "I cannot help.", id="refusal"),
        pytest.param("Par", {"finish_reason": "length"}, "Par", id="cut"),
        pytest.param("<think>hm", {}, None, id="nothing"),
    ],
)
def test_a_verdict_says_what_was_read(answer: str, known: dict[str, Any], expected: str | None) -> None:
    assert verdict(answer, **known).read == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(OtherAnswer(model="b", answer="<think>Rome?</think>Paris"), (C, "agrees"), id="thought"),
        pytest.param(OtherAnswer(model="b", answer="<think>Paris"), (U, "needs_another_answer"), id="unfinished"),
        pytest.param(
            OtherAnswer(model="b", answer="Paris", finish_reason="length"), (U, "needs_another_answer"), id="cut"
        ),
        pytest.param(OtherAnswer(model="b", answer=" "), (U, "needs_another_answer"), id="empty"),
    ],
)
def test_answers_of_others_are_read_alike(other: OtherAnswer, expected: tuple[Any, str]) -> None:
    found = verdict("Paris", {"type": "agreement"}, others=(other,))
    assert (found.outcome, found.reason.value) == expected
