import pytest

from deployments.contract.patterns import PatternError, compile_pattern
from deployments.verifier.text.pattern_search import Pattern, TooMuchWorkError, matches


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param("(a{1000}){1000}", r"repeats \{1000\}; at most 1000 are allowed", id="nested-repetition"),
        pytest.param("a{1001}", r"repeats \{1001\}; at most 1000", id="long-repetition"),
        pytest.param(
            "((((a{30}){30}){30}){30})", "at most 1000 are allowed, nested repetitions multiplied", id="tower"
        ),
        pytest.param("\\p{L}{900}", "more than 2097152 bytes when compiled", id="large-class"),
        pytest.param("(a)\\1", r"uses '\\1'; RE2 syntax is allowed, which has no back-references", id="back-reference"),
        pytest.param("(?=a)b", r"uses '\(\?='; RE2 syntax is allowed, which has no look-around", id="look-ahead"),
        pytest.param("(?<!a)b", r"uses '\(\?<!'", id="look-behind"),
        pytest.param("(", "not valid RE2 syntax: missing", id="open-bracket"),
        pytest.param("*a", "not valid RE2 syntax: no argument", id="nothing-to-repeat"),
        pytest.param("a" * 1025, "pattern of 1025 characters; at most 1024 are allowed", id="long"),
        pytest.param("a\ud800", "lone surrogate; only valid Unicode is allowed", id="surrogate"),
        pytest.param("(\\w{1,100}){1,10}\\pL{9}", r"compiles to \d+ steps; at most 10000", id="large-program"),
    ],
)
def test_a_pattern_out_of_bounds_is_refused_with_the_reason(pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "is_found", "is_all"),
    [
        pytest.param("b+", "abbb", True, False, id="part"),
        pytest.param("ab+", "abbb", True, True, id="all"),
        pytest.param("\\p{Han}+", "答案是北京", True, True, id="script"),
        pytest.param("^(a+)+$", "a" * 50_000 + "b", False, False, id="exponential-elsewhere"),
    ],
)
def test_a_pattern_is_searched_for_or_matched_in_full(pattern: str, text: str, is_found: bool, is_all: bool) -> None:
    compiled = compile_pattern(pattern)
    assert matches(compiled, text) is is_found
    assert matches(compiled, text, full=True) is is_all


def test_case_is_ignored_only_if_asked() -> None:
    assert matches(compile_pattern("köln", ignore_case=True), "KÖLN") is True
    assert matches(compile_pattern("köln"), "KÖLN") is False


def test_a_large_pattern_is_not_run_on_a_long_text() -> None:
    compiled = compile_pattern("(.{1,100}){1,9}$")
    assert matches(compiled, "x" * 1000) is True
    with pytest.raises(TooMuchWorkError, match="100000 bytes of text for a pattern of 8103 steps"):
        matches(compiled, "x" * 100_000)


def test_length_is_counted_in_bytes() -> None:
    with pytest.raises(TooMuchWorkError, match="90000 bytes of text"):
        matches(compile_pattern("(.{1,100}){1,9}$"), "京" * 30_000)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        pytest.param(r"\bÖl\b", "Das Öl.", True, id="edge-of-a-word-beyond-ascii"),
        pytest.param(r"\bда\b", "вода", False, id="inside-a-word-beyond-ascii"),
        pytest.param(r"^\w+$", "Größe", True, id="letters"),
        pytest.param(r"^\d+$", "٤٢", True, id="digits"),
        pytest.param(r"^\S+$", "東\u3000京", None, id="space"),
        pytest.param(r"\bsterreich\b", "Österreich", None, id="edge-in-ascii-only"),
        pytest.param(r"\b42\b", "是42。", None, id="edge-between-scripts"),
        pytest.param(r"\Qa.b\E\b", "öa.b", None, id="syntax-of-re2-only"),
        pytest.param("été", "e\u0301te\u0301", True, id="decomposed-text"),
    ],
)
def test_classes_are_those_of_unicode(pattern: str, text: str, found: bool | None) -> None:
    assert Pattern(pattern).found(text) is found


def test_ascii_text_is_read_as_before() -> None:
    assert Pattern(r"\Qa.b\E\b").found("a.b") is True
    assert Pattern("köln", ignore_case=True).found("KÖLN") is True


def test_a_full_match_in_unicode_is_of_the_whole() -> None:
    assert Pattern(r"\w|\w\w").found("öä", full=True) is True
    assert Pattern(r"\w").found("öä", full=True) is False


def test_a_long_text_beyond_ascii_is_not_searched_for_a_large_pattern() -> None:
    with pytest.raises(TooMuchWorkError, match="bytes of text for a pattern of"):
        Pattern(r"(\w\b){60}").found("ж " * 300_000)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        pytest.param(r"Answer: \d+\.", "Answer: 42. The rea", True, id="before-the-cut"),
        pytest.param(r"\d+", "It is 12", False, id="at-the-cut"),
        pytest.param(r"12$", "It is 12 and", False, id="end"),
        pytest.param("Rome", "Rome", False, id="one-word"),
    ],
)
def test_what_stands_before_a_cut_is_found_whatever_follows(pattern: str, text: str, found: bool) -> None:
    assert Pattern(pattern).found_before_end(text) is found
