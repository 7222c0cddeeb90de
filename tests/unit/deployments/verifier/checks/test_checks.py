import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from deployments.contract.verdict import Evidence, Reason, Verdict
from deployments.verifier.checks import SPEC, Catalogue, Check, NoVerify, VerifySpec
from tests.unit.deployments.verifier.asked import U, W, evidence, outcome


@pytest.mark.parametrize(
    ("spec", "answer", "prompt"),
    [
        pytest.param({"type": "contains", "value": "1"}, "1" * 250_000, "", id="contains"),
    ],
)
def test_a_search_with_too_many_false_starts_cannot_tell(spec: dict[str, Any], answer: str, prompt: str) -> None:
    assert outcome(spec, evidence(answer, prompt=prompt)) == (U, "too_complex")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"type": "exact", "value": "a"}, id="exact"),
        pytest.param({"type": "contains", "value": "a"}, id="contains"),
        pytest.param({"type": "regex", "pattern": ".*"}, id="regex"),
        pytest.param({"type": "numeric", "value": 1}, id="numeric"),
        pytest.param({"type": "math", "value": "1"}, id="math"),
        pytest.param({"type": "json_schema", "schema": {}}, id="json_schema"),
        pytest.param({"type": "grounded"}, id="grounded"),
        pytest.param({"type": "agreement"}, id="agreement"),
        pytest.param({"type": "judge"}, id="judge"),
        pytest.param({"type": "custom", "name": "x"}, id="custom"),
    ],
)
@pytest.mark.parametrize("answer", [pytest.param("", id="empty"), pytest.param(" \u200b\n", id="invisible")])
def test_an_empty_answer_is_wrong(spec: dict[str, Any], answer: str) -> None:
    found = Evidence(answer=answer, prompt="a", language="en", model="m")
    assert SPEC.validate_python(spec).read(found) == Verdict(outcome=W, reason=Reason.EMPTY_ANSWER)


def test_without_verification_nothing_is_known() -> None:
    assert outcome({"type": "none"}, evidence("")) == (U, "not_requested")


def test_an_answer_beyond_the_bound_cannot_be_told() -> None:
    assert outcome({"type": "exact", "value": "a"}, evidence("a" * (2**20 + 1))) == (U, "too_long")


def test_requests_are_read_without_loading_what_only_a_check_needs() -> None:
    program = (
        "import sys, deployments.verifier.checks;"
        "print({'ray', 'vllm', 'torch', 'fastapi', 'jsonschema_rs', 're2', 'sympy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_type_that_lacks_its_check_stops_the_start() -> None:
    with pytest.raises(TypeError, match=r"Half lacks \['check'\]"):

        class Half(Check):
            type: Literal["half"]


class Holder(BaseModel):
    verify: VerifySpec = NoVerify(type="none")


MINIMAL: list[dict[str, Any]] = [
    {"type": "none"},
    {"type": "exact", "value": "Paris"},
    {"type": "exact", "value": ["Paris", "巴黎"], "ignore_case": False},
    {"type": "contains", "value": ["a", "b"], "mode": "all"},
    {"type": "regex", "pattern": "^\\d+$", "full_match": True},
    {"type": "numeric", "value": "3", "tolerance": "0.5", "relative_tolerance": "0.1", "which": "any"},
    {"type": "math", "value": "x^2"},
    {"type": "json_schema", "schema": {"type": "object", "properties": {"schema": {"type": "string"}}}},
    {"type": "grounded", "min_share": 0.5},
    {"type": "agreement", "by": "choice"},
    {"type": "judge", "model": "large", "criteria": "be strict"},
    {"type": "custom", "name": "sql-runs"},
]


UNUSUAL: list[dict[str, Any]] = [
    {"type": "exact", "value": '\u0000\u200b😀 e\u0301 "\\'},
    {"type": "contains", "value": ["\u2028北京", "\U0010ffffمُحَمَّد"]},
    {"type": "regex", "pattern": "\\p{Han}+\u0000|[«»]", "ignore_case": True},
    {"type": "numeric", "value": "-1.7976931348623157E+308", "tolerance": "5E-324", "relative_tolerance": "0.1"},
    {"type": "json_schema", "schema": {"enum": [0.1, -0.0, 1e22, 10**300, 5e-324, None, True, "\u0000😀"]}},
    {"type": "json_schema", "schema": {"properties": {"": {}, "schema_": {}, "京/~": {"const": {"type": "none"}}}}},
    {"type": "grounded"},
    {"type": "agreement"},
    {"type": "judge"},
    {"type": "judge", "model": "modèle/é😀", "criteria": "streng\n\u2029</think>"},
]


@pytest.mark.parametrize(
    "spec", [pytest.param(spec, id=f"{i}-{spec['type']}") for i, spec in enumerate(MINIMAL + UNUSUAL)]
)
def test_every_type_survives_the_way_to_the_verifier(spec: dict[str, Any]) -> None:
    held = Holder.model_validate_json(json.dumps({"verify": spec}))
    sent = held.verify.model_dump_json(by_alias=True)
    again = SPEC.validate_json(sent)
    assert again == held.verify
    assert spec.items() <= json.loads(sent).items()


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        pytest.param({}, "", "Unable to extract tag", id="no-type"),
        pytest.param({"type": "python"}, "", "does not match any of the expected tags", id="unknown-type"),
        pytest.param({"type": "none", "x": 1}, "none.x", "Extra inputs", id="unknown-key"),
        pytest.param({"type": "exact"}, "exact.value", "Field required", id="no-value"),
        pytest.param({"type": "exact", "value": ""}, "exact.value", "at least 1 character", id="empty-value"),
        pytest.param({"type": "exact", "value": []}, "exact.value", "at least 1 item", id="no-values"),
        pytest.param({"type": "exact", "value": ["a"] * 65}, "exact.value", "at most 64 items", id="many-values"),
        pytest.param({"type": "exact", "value": "a" * 16385}, "exact.value", "at most 16384 char", id="long-value"),
        pytest.param(
            {"type": "exact", "value": ["a" * 16384] * 5},
            "exact.value",
            "more than 65536 characters in all",
            id="sum",
        ),
        pytest.param(
            {"type": "contains", "value": ["a", "\u200b"]}, "contains.value", "value 1 has no visible", id="blank"
        ),
        pytest.param({"type": "contains", "value": "a", "mode": "some"}, "contains.mode", "'any' or 'all'", id="mode"),
        pytest.param({"type": "regex", "pattern": "(a{1000}){1000}"}, "regex.pattern", "at most 1000", id="regex-bomb"),
        pytest.param(
            {"type": "regex", "pattern": "(a)\\1"}, "regex.pattern", "no back-references", id="back-reference"
        ),
        pytest.param({"type": "regex", "pattern": "a" * 1025}, "regex.pattern", "at most 1024", id="long-pattern"),
        pytest.param({"type": "numeric", "value": "x"}, "numeric.value", "no decimal number", id="no-number"),
        pytest.param(
            {"type": "numeric", "value": 1, "tolerance": -1},
            "numeric.tolerance",
            "greater than or equal to 0",
            id="negative",
        ),
        pytest.param({"type": "math", "value": "(" * 31}, "math.value", "at most 30 brackets", id="depth"),
        pytest.param({"type": "numeric", "value": float("inf")}, "numeric.value", "finite number", id="infinite"),
        pytest.param(
            {"type": "json_schema", "schema": {"type": "x"}}, "json_schema.schema", "draft 2020-12", id="schema"
        ),
        pytest.param(
            {"type": "json_schema", "schema": {"$ref": "http://x"}}, "json_schema.schema", "only local", id="remote"
        ),
        pytest.param(
            {"type": "json_schema", "schema": {"maximum": float("inf")}},
            "json_schema.schema",
            "schema holds the number Infinity; only finite",
            id="infinite-in-schema",
        ),
        pytest.param(
            {"type": "json_schema", "schema": {"properties": {"a": {"items": {"enum": [1, {"b": float("-inf")}]}}}}},
            "json_schema.schema",
            "schema holds the number -Infinity; only finite",
            id="infinite-deep-in-schema",
        ),
        pytest.param(
            {"type": "json_schema", "schema": {"const": float("nan")}},
            "json_schema.schema",
            "schema holds the number NaN; only finite",
            id="no-number-in-schema",
        ),
        pytest.param(
            {"type": "json_schema", "schema": {"properties": {"\ud800": {}}}},
            "json_schema.schema",
            "surrogates not allowed",
            id="surrogate-in-schema",
        ),
        pytest.param({"type": "json_schema", "schema": []}, "json_schema.schema", "valid dictionary", id="no-object"),
        pytest.param({"type": "grounded", "min_share": 0}, "grounded.min_share", "greater than 0", id="no-share"),
        pytest.param(
            {"type": "grounded", "min_share": 1.5}, "grounded.min_share", "less than or equal to 1", id="share"
        ),
        pytest.param({"type": "agreement", "by": "vote"}, "agreement.by", "'text', 'numeric' or 'choice'", id="by"),
        pytest.param({"type": "judge", "criteria": "a" * 4097}, "judge.criteria", "at most 4096", id="criteria"),
        pytest.param({"type": "custom", "name": "os:system"}, "custom.name", "match pattern", id="code"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_its_field(spec: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        SPEC.validate_python(spec)
    assert any(".".join(map(str, e["loc"])).startswith(field) for e in caught.value.errors())


def test_a_number_beyond_all_floats_is_refused_as_it_comes_in_json() -> None:
    with pytest.raises(ValidationError, match="schema holds the number Infinity; only finite numbers are allowed"):
        SPEC.validate_json('{"type": "json_schema", "schema": {"items": {"maximum": 1e999}}}')


def test_a_pattern_too_large_without_case_is_taken_with_case() -> None:
    assert SPEC.validate_python({"type": "regex", "pattern": "[a-z]{850}[a-z]{850}"}).compiled.size == 1704


def test_deeply_nested_json_is_refused() -> None:
    text = '{"type": "json_schema", "schema": ' + '{"not": ' * 5_000 + "{}" + "}" * 5_001
    with pytest.raises(ValidationError, match="recursion limit exceeded"):
        SPEC.validate_json(text)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SPEC.validate_python({"type": "exact", "value": "a"}).value = "b"


def refused(spec: dict[str, Any], **has: Any) -> str | None:
    refusal = SPEC.validate_python(spec).refusal(Catalogue(**has))
    return refusal and f"{refusal.field}: {refusal.message}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"type": "judge", "model": "lrage"}, "model: unknown judge 'lrage'; known: ['large', 'small']", id="judge"
        ),
        pytest.param({"type": "judge", "model": "large"}, None, id="known-judge"),
        pytest.param({"type": "judge"}, None, id="default-judge"),
        pytest.param({"type": "custom", "name": "sq"}, "name: unknown check 'sq'; known: sql", id="check"),
        pytest.param({"type": "custom", "name": "sql"}, None, id="known-check"),
        pytest.param({"type": "exact", "value": "a"}, None, id="exact"),
    ],
)
def test_names_that_nobody_configured_are_refused(spec: dict[str, Any], expected: str | None) -> None:
    assert refused(spec, models=["small", "large"], answering=["small", "large"], custom_checks=["sql"]) == expected


@pytest.mark.parametrize(
    "spec", [pytest.param({}, id="any-judge"), pytest.param({"model": "large"}, id="the-only-model-as-judge")]
)
def test_a_judge_is_refused_where_only_one_model_answers(spec: dict[str, Any]) -> None:
    found = refused({"type": "judge", **spec}, models=["large"], answering=["large"], custom_checks=[])
    assert found == "model: no model can judge, as none judges its own answer; known: ['large']"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"type": "judge", "model": "small"},
            "model: 'small' cannot judge, as only it may answer; known: ['large', 'small']",
            id="named-model-as-its-own-judge",
        ),
        pytest.param({"type": "judge", "model": "large"}, None, id="other-model-as-judge"),
        pytest.param({"type": "judge"}, None, id="any-judge"),
        pytest.param(
            {"type": "agreement"}, "by: two models must answer, but only ['small'] may", id="agreement-with-nobody"
        ),
    ],
)
def test_check_that_a_named_model_can_never_pass_is_refused(spec: dict[str, str], expected: str | None) -> None:
    models = ["small", "large"]
    assert refused(spec, models=models, answering=["small"], custom_checks=[]) == expected


def test_every_reason_is_explained() -> None:
    page = (Path(__file__).parents[5] / "docs/verification.md").read_text()
    assert [reason for reason in Reason if f"`{reason}`" not in page] == []
