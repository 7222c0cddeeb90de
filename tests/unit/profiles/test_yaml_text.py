import pytest

from profiles.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a: 1\nb: 2\na: 3", "^line 3: key 'a' stands in line 1 already; remove one of the two$", id="top"),
        pytest.param("- {x: {a: 1,\n a: 1}}", "^line 2: key 'a' stands in line 1 already", id="within"),
        pytest.param('a: 1\n"a": 2', "^line 2: key 'a' ", id="quoted"),
        pytest.param('{"a": 1, "a": 2}', "^line 1: key 'a' ", id="json"),
        pytest.param("a: 1\n b: 2", "^no YAML: line 2, column 3: mapping values are not allowed in this ", id="fault"),
        pytest.param("a: 2020-13-45", "^holds a value that YAML cannot read: month must be in 1..12$", id="no-date"),
        pytest.param("[" * 500, "^holds values within values, more than 100 deep$", id="deep"),
        pytest.param(b"\xff", "^holds a value that YAML cannot read: ", id="no-text"),
    ],
)
def test_text_that_cannot_count_as_it_stands_is_refused_in_one_line(text: str | bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told) as error:
        read_yaml(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("[{a: 1}, {a: 2}]", [{"a": 1}, {"a": 2}], id="two-mappings"),
        pytest.param('{1: a, "1": b}', {1: "a", "1": "b"}, id="two-types"),
        pytest.param(
            "x: {i: &x {<<: &y {k: 0}, k: 1}}\nz: {<<: *x}", {"x": {"i": {"k": 1}}, "z": {"k": 1}}, id="merge"
        ),
    ],
)
def test_keys_that_differ_are_all_read(text: str, expected: object) -> None:
    assert read_yaml(text) == expected
