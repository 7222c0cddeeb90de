import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from deployments.contract.verdict import Evidence, Outcome, ToolCall
from deployments.verifier.checks import SPEC, Catalogue, Place, check
from tests.unit.deployments.verifier.asked import C, U, W

CITY = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "schema": CITY}
PARIS = {"name": "weather", "arguments": {"city": "Paris", "days": 1.5}}


def evidence(*calls: tuple[str, str], answer: str = "", finish_reason: str = "tool_calls") -> Evidence:
    made = tuple(ToolCall(name=name, arguments=arguments) for name, arguments in calls)
    return Evidence(answer=answer, prompt="", language="en", model="m", tool_calls=made, finish_reason=finish_reason)


def outcome(spec: dict[str, Any], found: Evidence) -> tuple[Outcome, str]:
    verdict = check(SPEC.validate_python({"type": "tool_call", **spec}), found)
    return verdict.outcome, verdict.reason.value


@pytest.mark.parametrize(
    ("calls", "made", "expected"),
    [
        pytest.param([WEATHER], [("weather", '{"city": "Paris"}')], (C, "matched"), id="by-schema"),
        pytest.param([WEATHER], [("weather", '{"town": "Paris"}')], (W, "arguments_differ"), id="schema-broken"),
        pytest.param([PARIS], [("weather", '{"days": 1.50, "city": "Paris"}')], (C, "matched"), id="by-value"),
        pytest.param([PARIS], [("weather", '{"city": "Paris"}')], (W, "arguments_differ"), id="value-missing"),
        pytest.param(
            [PARIS], [("weather", '{"city": "Paris", "days": 1.5, "x": 1}')], (W, "arguments_differ"), id="more"
        ),
        pytest.param([WEATHER], [("Weather", '{"city": "Paris"}')], (W, "other_call"), id="other-name"),
        pytest.param([WEATHER], [("weather", '{"city": "A"}'), ("stop", "{}")], (W, "other_call"), id="one-too-many"),
        pytest.param([WEATHER, {"name": "stop"}], [("weather", '{"city": "A"}')], (W, "other_call"), id="one-too-few"),
        pytest.param(
            [WEATHER, {"name": "stop"}], [("stop", ""), ("weather", '{"city": "A"}')], (C, "matched"), id="any-order"
        ),
        pytest.param(
            [WEATHER, PARIS],
            [("weather", '{"city": "Paris", "days": 1.5}'), ("weather", '{"city": "Rome"}')],
            (C, "matched"),
            id="each-to-its-own",
        ),
        pytest.param(
            [PARIS, PARIS],
            [("weather", '{"city": "Paris", "days": 1.5}'), ("weather", '{"city": "Rome"}')],
            (W, "arguments_differ"),
            id="twice-the-same",
        ),
        pytest.param([{"name": "stop"}], [("stop", "{")], (W, "not_json"), id="broken-arguments"),
        pytest.param([{"name": "stop"}], [("stop", "[]")], (W, "not_json"), id="no-object"),
        pytest.param([{"name": "stop"}], [("stop", '{"a": 1, "a": 2}')], (U, "ambiguous_json"), id="key-twice"),
        pytest.param(
            [{"name": "f", "arguments": {"on": True}}],
            [("f", '{"on": 1}')],
            (W, "arguments_differ"),
            id="true-is-not-1",
        ),
    ],
)
def test_the_calls_made_are_the_expected_ones(
    calls: list[dict[str, Any]], made: list[tuple[str, str]], expected: tuple[Outcome, str]
) -> None:
    assert outcome({"calls": calls}, evidence(*made)) == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param([("stop", "{}")], (C, "matched"), id="one-of-them"),
        pytest.param([("stop", "{}"), ("stop", "{}")], (C, "matched"), id="twice"),
        pytest.param([("stop", "{}"), ("weather", "{}")], (W, "arguments_differ"), id="one-breaks-its-schema"),
        pytest.param([("stop", "{}"), ("go", "{}")], (W, "other_call"), id="one-is-another"),
    ],
)
def test_any_of_the_expected_calls_may_be_made(made: list[tuple[str, str]], expected: tuple[Outcome, str]) -> None:
    assert outcome({"calls": [WEATHER, {"name": "stop"}], "mode": "any"}, evidence(*made)) == expected


@pytest.mark.parametrize(
    ("spec", "answer", "finish_reason", "expected"),
    [
        pytest.param({}, "It is sunny.", "stop", (W, "no_call"), id="words-instead"),
        pytest.param({"required": False}, "It is sunny.", "stop", (U, "no_call"), id="not-required"),
        pytest.param({}, '<tool_call>{"name": "weather"}</tool_call>', "stop", (U, "no_call"), id="not-parsed"),
        pytest.param({}, "", "stop", (W, "empty_answer"), id="nothing"),
        pytest.param({}, "Let me", "length", (U, "cut_off"), id="cut"),
    ],
)
def test_without_a_call_it_is_what_is_said_instead_that_counts(
    spec: dict[str, Any], answer: str, finish_reason: str, expected: tuple[Outcome, str]
) -> None:
    found = evidence(answer=answer, finish_reason=finish_reason)
    assert outcome({"calls": [WEATHER], **spec}, found) == expected


def test_a_verdict_says_which_calls_were_read() -> None:
    spec = SPEC.validate_python({"type": "tool_call", "calls": [{"name": "stop"}]})
    assert check(spec, evidence(("stop", "{}"))).read == "stop({})"


def test_a_request_without_tools_cannot_have_its_calls_checked() -> None:
    spec = SPEC.validate_python({"type": "tool_call", "calls": [{"name": "stop"}]})
    refusal = spec.refusal(Catalogue(models=["m"], answering=["m"], custom_checks=[]))
    assert (refusal.field, refusal.message) == ("calls", "the request has no 'tools' to call")
    assert spec.refusal(Catalogue(models=["m"], answering=["m"], custom_checks=[], has_tools=True)) is None


def test_schemas_of_calls_are_held_within_bounds() -> None:
    with pytest.raises(ValidationError, match="only local ones"):
        SPEC.validate_python({"type": "tool_call", "calls": [{"name": "f", "schema": {"$ref": "http://x"}}]})


def test_large_arguments_are_checked_elsewhere() -> None:
    spec = SPEC.validate_python({"type": "tool_call", "calls": [WEATHER]})
    assert spec.place(evidence(("weather", "{}"))) is Place.INLINE
    assert spec.place(evidence(("weather", "x" * 100_000))) is Place.PROCESS


def test_a_default_check_goes_to_the_routers_as_it_is() -> None:
    spec = SPEC.validate_python({"type": "tool_call", "calls": [WEATHER]})
    arrived = pickle.loads(pickle.dumps(spec))  # noqa: S301  our own
    assert check(arrived, evidence(("weather", "{}"))).outcome is W
