import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.search.fit import Fit
from deployments.verifier.search.haystack import MAX_CLOSE_LOOKS, MAX_STEPS, Haystack, TooManyFalseStartsError


@pytest.mark.parametrize(
    ("needle", "text", "fit"),
    [
        pytest.param("5", "the 5 ones", Fit.WHOLE, id="alone"),
        pytest.param("5", "15", Fit.PART, id="end-of-a-number"),
        pytest.param("5", "5.25", Fit.PART, id="whole-part"),
        pytest.param("25", "5.25", Fit.PART, id="fraction"),
        pytest.param("5", "it is 5.", Fit.WHOLE, id="before-a-full-stop"),
        pytest.param("5", "15 and 5", Fit.WHOLE, id="later"),
        pytest.param("5", "5 million", Fit.UNCLEAR, id="scale"),
        pytest.param("5", "-5", Fit.PART, id="sign"),
        pytest.param("haus", "rathaus", Fit.PART, id="end-of-a-word"),
        pytest.param("haus", "hausmeister", Fit.PART, id="start-of-a-word"),
        pytest.param("haus", "nicht haus", Fit.UNCLEAR, id="denied"),
        pytest.param("haus", "ein haus", Fit.WHOLE, id="word"),
        pytest.param("haus", "heim", Fit.NONE, id="nowhere"),
        pytest.param("", "anything", Fit.NONE, id="empty"),
    ],
)
def test_a_value_is_whole_or_a_part(needle: str, text: str, fit: Fit) -> None:
    assert Haystack(text, "en").fit(needle) is fit


def test_an_ending_may_leave_a_name_the_same_where_a_language_adds_endings() -> None:
    assert Haystack("budapesten", "hu").fit("budapest") is Fit.UNCLEAR
    assert Haystack("budapesten", "en").fit("budapest") is Fit.PART


@given(word=st.text("abcäßжλ", min_size=1), before=st.text("abcäßжλ "), after=st.text("abcäßжλ "))
def test_a_word_is_whole_between_spaces_and_a_part_beside_letters(word: str, before: str, after: str) -> None:
    assert Haystack(f"{before} {word} {after}", "en").fit(word) is Fit.WHOLE
    assert Haystack(f"q{word}q", "en").fit(word) is Fit.PART


@given(number=st.integers(0, 10**9), digits=st.text("0123456789", min_size=1))
def test_a_number_is_no_part_of_a_longer_one(number: int, digits: str) -> None:
    assert Haystack(f"{digits}{number}", "en").fit(str(number)) in (Fit.PART, Fit.WHOLE)
    assert Haystack(f"it is {number}.", "en").fit(str(number)) is Fit.WHOLE
    assert Haystack(f"it is {number}{digits}5.", "en").fit(f"{number}{digits}") is Fit.PART
    assert Haystack(f"it is -{number}.", "en").fit(str(number)) is Fit.PART


class _CountingText(str):
    """A text that counts how often it is searched."""

    searches = 0

    def find(self, *args: Any) -> int:
        _CountingText.searches += 1
        return super().find(*args)


@pytest.mark.parametrize(
    ("needle", "searches"),
    [
        # the first place has no neighbour, so that it takes a close look
        pytest.param("1", MAX_STEPS + 1, id="short"),
        # a false start counts 1 + 16384 // 256 = 65 steps
        pytest.param("1" * 16_384, MAX_STEPS // 65 + 1, id="long"),
    ],
)
def test_false_starts_are_bounded(needle: str, searches: int) -> None:
    _CountingText.searches = 0
    with pytest.raises(TooManyFalseStartsError, match=r"^$"):
        Haystack(_CountingText("1" * 250_000)).holds(needle)
    assert _CountingText.searches == searches


def test_close_looks_are_bounded_for_all_that_is_looked_for() -> None:
    haystack = Haystack("-5 " * MAX_CLOSE_LOOKS)
    assert haystack.fit("5") is Fit.PART
    with pytest.raises(TooManyFalseStartsError, match=r"^$"):
        haystack.fit("5")


@pytest.mark.parametrize(
    "unit", ["5 million ", "-5 ", "a5", "no a", "a'", "'a", "a-", "5.5", "1 ", "не а ", "𝒂", "가", "ก"], ids=repr
)
def test_a_long_text_is_searched_in_bounded_time(unit: str) -> None:
    haystack = Haystack(unit * ((1 << 20) // len(unit)))
    started = time.process_time()
    for needle in ("5", "a", "1", "가", "ก"):
        try:
            haystack.fit(needle)
        except TooManyFalseStartsError:
            break
    assert time.process_time() - started < 0.1
