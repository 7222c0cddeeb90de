from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.checks.structure.json_text import Extract, UnreadableError, read_json

A = {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a": 1}', A, id="bare"),
        pytest.param('\ufeff{"a": 1}', A, id="byte-order-mark"),
        pytest.param('\n```json\n{"a": 1}\n```\n', A, id="fence-with-language"),
        pytest.param('```Json\n{"a": 1}\n```', A, id="fence-with-capital"),
        pytest.param('````json\n{"a": 1}\n````', A, id="four-back-ticks"),
        pytest.param('~~~\n{"a": 1}\n~~~', A, id="tildes"),
        pytest.param('```json {"a": 1} ```', A, id="fence-in-one-line"),
        pytest.param('```json\n{"c": "```py\\n1\\n```"}\n```', {"c": "```py\n1\n```"}, id="fence-in-a-string"),
        pytest.param("```\n[1]\n```", [1], id="fence"),
        pytest.param('"北京"', "北京", id="string"),
        pytest.param("12345678901234567890123", 12345678901234567890123, id="big-integer"),
        pytest.param("0.1000000000000000055", Decimal("0.1000000000000000055"), id="as-it-is-written"),
        pytest.param("1e308", Decimal("1e308"), id="large-float"),
        pytest.param('{"a": 1, "a": 1}', A, id="key-twice-alike"),
    ],
)
def test_a_whole_answer_is_read_in_a_fence_or_without(text: str, value: Any) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("extract", ["whole", "fence", "embedded"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("the answer is 5", id="prose"),
        pytest.param("{'a': 1}", id="single-quotes"),
        pytest.param("NaN", id="nan"),
        pytest.param("Infinity", id="infinity"),
        pytest.param("{'a': -Infinity}", id="minus-infinity"),
        pytest.param("```", id="half-a-fence"),
        pytest.param("```python\nprint(1)\n```", id="code"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_json_is_refused(text: str, extract: Extract) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_json(text, extract)


@pytest.mark.parametrize(
    ("extract", "text"),
    [
        pytest.param("whole", '{"a": 1, "a": 2}', id="key-twice"),
        pytest.param("whole", '{"b": {"a": 1, "a": true}}', id="true-is-not-one"),
        pytest.param("whole", "[" * 100_000, id="nested-too-deeply"),
        pytest.param("whole", "9" * 10_000, id="endless-integer"),
        pytest.param("whole", "1e400", id="beyond-floats"),
        pytest.param("whole", '{"a": -2.5e-330}', id="beneath-floats"),
        pytest.param("fence", "```\n[1]\n```\nor\n```\n[2]\n```", id="two-fences"),
        pytest.param("fence", '```python\n{"a": 1}\n```', id="fence-of-another-name"),
        pytest.param("embedded", '{"a": 1} or {"a": 2}', id="two-values"),
        pytest.param("embedded", "[{" * 200, id="too-many-starts"),
    ],
)
def test_what_two_readers_would_read_differently_is_not_read(extract: Extract, text: str) -> None:
    with pytest.raises(UnreadableError, match=r"^$"):
        read_json(text, extract)


@pytest.mark.parametrize(
    ("extract", "text"),
    [
        pytest.param("fence", 'Here:\n```json\n{"a": 1}\n```\nThat is it.', id="fence-amid-prose"),
        pytest.param("fence", '{"a": 1}', id="no-fence-at-all"),
        pytest.param("fence", '```\n{"a": 1}\n```\n\n```\n{"a": 1}\n```', id="twice-the-same"),
        pytest.param("fence", '```py\n{"b": 2}\n```\n```json\n{"a": 1}\n```', id="code-beside-it"),
        pytest.param("fence", '```json\r\n{"a": 1}\r\n```\r\nok', id="carriage-returns"),
        pytest.param("embedded", 'It is {"a": 1}, as asked.', id="amid-prose"),
        pytest.param("embedded", 'A set {x} is {"a": 1}.', id="braces-that-are-no-json"),
        pytest.param("embedded", 'Here:\n```json\n{"a": 1}\n```', id="fence"),
    ],
)
def test_a_value_amid_prose_is_read_where_asked(extract: Extract, text: str) -> None:
    assert read_json(text, extract) == A


def test_prose_around_a_value_is_no_json_unless_asked() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        read_json('Here: {"a": 1}')


def test_a_line_separator_in_a_string_does_not_end_a_line_of_a_fence() -> None:
    assert read_json('So:\n```\n["a\u2028b"]\n```\n!', "fence") == ["a\u2028b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(value=JSON)
def test_a_value_reads_the_same_bare_fenced_and_embedded(value: Any) -> None:
    import json

    text = json.dumps(value)
    assert read_json(text) == read_json(f"```json\n{text}\n```") == value
    assert read_json(f"So:\n```json\n{text}\n```\nDone.", "fence") == value
    if isinstance(value, dict | list):
        assert read_json(f"It is {text} as asked.", "embedded") == value
