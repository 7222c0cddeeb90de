import pytest

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import C, U, W, evidence, outcome

NAMED = {
    "type": "json_schema",
    "schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param('```json\n{"name": "北京"}\n```', (C, "matched"), id="valid"),
        pytest.param('{"name": 5}', (W, "schema_violation"), id="violation"),
        pytest.param("name: x", (W, "not_json"), id="prose"),
        pytest.param('{"name": "x", "y": ' + "[" * 70 + "]" * 70 + "}", (C, "matched"), id="deep"),
        pytest.param('{"name": "x", "name": "y"}', (U, "ambiguous_json"), id="key-twice"),
        pytest.param('{"name": 1e9999999999999999999}', (U, "ambiguous_json"), id="exponent-beyond-all-decimals"),
    ],
)
def test_json_schema(answer: str, expected: tuple[Outcome, str]) -> None:
    assert outcome(NAMED, evidence(answer)) == expected
