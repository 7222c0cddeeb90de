"""Whether a repair pays, held against every way in which the attempts can end; and what a model is told."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from deployments.contract.reply import Reply
from deployments.contract.verdict import ToolCall
from deployments.router.choice.objective import Objective
from deployments.router.choice.repair import MAX_MENDED_CHARS, MAX_SHARES, Asking, RepairShares, mending, pays
from deployments.verifier.checks import SPEC, check
from tests.unit.deployments.verifier.asked import evidence

SECRET = "Zanzibar"


def cost_s(asked: Sequence[Asking], objective: Objective) -> float:
    """The mean over all ways in which the attempts can be right or wrong."""
    total_s = 0.0
    for ends in itertools.product([True, False], repeat=len(asked)):
        weight, spent_s, is_right, is_over = 1.0, 0.0, False, False
        for number, (asking, right) in enumerate(zip(asked, ends, strict=True)):
            weight *= asking.probability if right else 1 - asking.probability
            has_room = objective.attempts_left is None or number < objective.attempts_left
            started_s = sum(before.latency_s for before in asked[:number])
            in_time = started_s + asking.latency_s <= objective.time_left_s
            if not (is_right or is_over) and has_room and in_time:
                spent_s += asking.latency_s
                is_right = right
            elif not is_right:
                is_over = True
        total_s += weight * (spent_s + (0.0 if is_right else objective.worth_s))
    return total_s


def test_repair_is_made_exactly_where_it_lowers_the_expected_cost() -> None:
    rng, said = np.random.default_rng(7), []
    for _ in range(300):
        latency_s, chance = rng.uniform(0.1, 20, 4), rng.uniform(0.02, 0.98, 4)
        repair, *others = [Asking(latency_s=a, probability=b) for a, b in zip(latency_s, chance, strict=True)]
        others = others[: int(rng.integers(0, 4))]
        objective = Objective(
            worth_s=float(rng.choice([0.0, 3.0, 30.0])),
            attempts_left=[None, 1, 2][int(rng.integers(3))],
            time_left_s=float(rng.choice([5.0, 25.0, 1e6])),
        )
        gain_s = cost_s(others, objective) - cost_s([repair, *others], objective)
        said.append(pays(repair, others, objective))
        assert abs(gain_s) < 1e-9 or said[-1] is (gain_s > 0)
    assert 50 < sum(said) < 250


def test_share_of_right_repairs_is_that_of_the_tenant_model_and_check_alone() -> None:
    shares = RepairShares()
    for _ in range(30):
        shares.learn("one", "m", "json_schema", is_right=False)
    assert shares.of("one", "m", "json_schema") < 0.06
    others = [("two", "m", "json_schema"), ("one", "n", "json_schema"), ("one", "m", "regex")]
    assert {shares.of(*key) for key in others} == {0.5}
    for number in range(MAX_SHARES):
        shares.learn(str(number), "m", "regex", is_right=True)
    assert shares.of("one", "m", "json_schema") == 0.5


@pytest.mark.parametrize(
    ("spec", "answer", "calls", "is_told"),
    [
        pytest.param({"type": "json_schema", "schema": {"const": SECRET}}, "words", (), True, id="no-json"),
        pytest.param({"type": "json_schema", "schema": {"const": SECRET}}, "1", (), True, id="schema"),
        pytest.param({"type": "regex", "pattern": SECRET}, "words", (), True, id="regex"),
        pytest.param({"type": "exact", "value": SECRET}, "It is Paris.", (), True, id="exact-with-other-words"),
        pytest.param({"type": "exact", "value": SECRET}, f"It is {SECRET}.", (), True, id="exact-with-the-value"),
        pytest.param({"type": "exact", "value": SECRET}, "Paris", (), False, id="exact-of-the-right-form"),
        pytest.param({"type": "contains", "value": SECRET}, "words", (), False, id="contains"),
        pytest.param({"type": "numeric", "value": 5}, "6", (), False, id="numeric"),
        pytest.param({"type": "tool_call", "calls": [{"name": SECRET}]}, "words", (), True, id="no-call"),
        pytest.param({"type": "tool_call", "calls": [{"name": SECRET}]}, "", ("f", "{}"), True, id="other-call"),
        pytest.param(
            {"type": "tool_call", "calls": [{"name": "f", "arguments": {"a": SECRET}}]},
            "",
            ("f", "{}"),
            True,
            id="args",
        ),
        pytest.param({"type": "tool_call", "calls": [{"name": "f"}]}, "", ("f", "{"), True, id="broken-arguments"),
    ],
)
def test_model_is_told_of_the_form_alone(
    spec: dict[str, Any], answer: str, calls: tuple[str, ...], is_told: bool
) -> None:
    found: Any = SPEC.validate_python(spec)
    made = tuple([ToolCall(name=calls[0], arguments=calls[1])] if calls else [])
    asked = evidence(answer)
    verdict = check(found, replace(asked, tool_calls=made))
    complaint = found.complaint(verdict)
    assert (complaint is not None) is is_told
    assert complaint is None or (SECRET not in complaint and complaint in type(found).complaints.values())


def call(arguments: str) -> Reply:
    return Reply(200, b"", tool_calls=(ToolCall(name="f", arguments=arguments),))


@pytest.mark.parametrize(
    ("reply", "roles"),
    [
        pytest.param(Reply(200, b"", text="<think>Hm.</think>words"), ["assistant", "user"], id="text"),
        pytest.param(call('{"a": 1}'), ["assistant", "tool"], id="call"),
        pytest.param(call("{"), None, id="arguments-that-no-template-reads"),
        pytest.param(call("[]"), None, id="arguments-that-are-no-object"),
        pytest.param(Reply(200, b"", text="x" * (MAX_MENDED_CHARS + 1)), None, id="too-long"),
        pytest.param(Reply(200, b"", text="<think>Hm."), None, id="thinking-that-never-ends"),
        pytest.param(Reply(200, b"", text=" "), None, id="nothing-said"),
    ],
)
def test_answer_is_given_back_as_a_turn_of_the_chat(reply: Reply, roles: list[str] | None) -> None:
    turns = mending(reply, "Not so.")
    assert (None if turns is None else [turn["role"] for turn in turns]) == roles
    assert turns is None or ("Hm" not in json.dumps(turns) and turns[-1]["content"] == "Not so.")
