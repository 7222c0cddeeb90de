import random
from typing import Any

import pytest

from deployments.verifier.text.normalise import Haystack, TooManyFalseStartsError, compose, fold, normalise, plain


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        pytest.param("en", "  **Paris**.  ", "paris", id="en-bold"),
        pytest.param("en", "`7f3a-91`", "7f3a-91", id="en-code"),
        pytest.param("en", "It’s “fine”—really", 'it\'s "fine"-really', id="en-typographic-signs"),
        pytest.param("en", "a\u200bb\u00ad\ufeffc", "abc", id="en-invisible"),
        pytest.param("de", "Die STRASSE", "die strasse", id="de-capitals"),
        pytest.param("de", "die Straße!", "die strasse", id="de-sharp-s"),
        pytest.param("de", "„Köln“", "köln", id="de-quotes"),
        pytest.param("fr", "«\u00a0E\u0301te\u0301\u00a0»", " été ", id="fr-guillemets-and-composition"),
        pytest.param("es", "¿Quién?", "quién", id="es-opening-mark"),
        pytest.param("zh", "答案是：北京 。", "答案是:北京", id="zh-width-and-space"),
        pytest.param("zh", "New York 市", "new york市", id="zh-keeps-space-between-latin-words"),
        pytest.param("ja", "「トウキョウ ＡＢＣ１２」", "トウキョウabc12", id="ja-width"),
        pytest.param("ja", "ﾄｳｷｮｳ", "トウキョウ", id="ja-half-width"),
        pytest.param("ar", "مُحَمَّـــد", "محمد", id="ar-diacritics-and-tatweel"),
        pytest.param("ar", "\u200f٤٢؟", "42", id="ar-digits-and-bidi"),
        pytest.param("hi", "१२३।", "123", id="hi-digits-and-danda"),
        pytest.param("th", "กรุง เทพ ๔๒", "กรุงเทพ42", id="th-space-and-digits"),
        pytest.param("tr", "ISPARTA", "ısparta", id="tr-dotless"),
        pytest.param("tr", "İZMİR", "izmir", id="tr-dotted"),
        pytest.param("en", "İZMİR", "izmir", id="en-dotted-capital"),
        pytest.param("en", "ISPARTA", "isparta", id="en-plain-i"),
        pytest.param("ru", "«МОСКВА»", "москва", id="ru-capitals"),
        pytest.param("unknown", "-5", "-5", id="minus-stays"),
        pytest.param("unknown", "−5", "-5", id="minus-sign"),
        pytest.param("unknown", "C#", "c#", id="sharp-stays"),
        pytest.param("unknown", "...", "...", id="only-punctuation-stays"),
        pytest.param("unknown", "\u200b \u2060", "", id="nothing-visible"),
        pytest.param("unknown", "a\ud800b", "ab", id="lone-surrogate"),
    ],
)
def test_text_comes_to_one_form(language: str, text: str, expected: str) -> None:
    assert normalise(text, language).strip() == expected.strip()


def test_case_stays_when_it_matters() -> None:
    assert normalise("**Paris**", "en", ignore_case=False) == "Paris"


def test_markup_stays_in_a_fold_and_goes_from_plain_text() -> None:
    assert fold("a **b** `c`") == "a **b** `c`"
    assert plain("a **b** `c`") == "a b c"


def test_powers_are_no_bold_text() -> None:
    assert plain("2**3 and 4**5") == "2**3 and 4**5"


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "zh", "ja", "ar", "hi", "th", "tr", "ru"])
def test_folding_again_changes_nothing(language: str) -> None:
    rng = random.Random(f"fold-{language}")
    alphabet = "aIıİßé\u0301\u0653ء\u064b\u0640ａ１٣५๔北京トﾊﾞ.,。、 \u00a0\u200b“'-−ŐΣσςﷺﬁ½²"
    for _ in range(300):
        text = "".join(rng.choices(alphabet, k=12))
        once = fold(text, language)
        assert fold(once, language) == once


def test_normalising_random_unicode_never_fails_and_repeats() -> None:
    rng = random.Random(7)
    for _ in range(300):
        text = "".join(chr(rng.randrange(0x20, 0x30000)) for _ in range(8))
        once = fold(text)
        assert fold(once) == once
        assert normalise(text) == normalise(text)


@pytest.mark.parametrize(
    ("language", "run"),
    [
        pytest.param("en", "\u0315\u0300", id="two-classes-that-are-sorted"),
        pytest.param("en", "\u0315\u200b\u0300\u200b", id="parted-by-what-a-fold-takes-out"),
        pytest.param("en", "\u0315\uff9e", id="katakana-sign-that-becomes-a-mark"),
        pytest.param("zh", "\u0315 \u0300 ", id="parted-by-spaces-that-an-unspaced-language-loses"),
    ],
)
def test_of_a_long_run_of_marks_thirty_stay(language: str, run: str) -> None:
    folded = fold("q" + run * 1000 + "z", language)
    assert (len(folded), folded[0], folded[-1]) == (32, "q", "z")


def test_thirty_marks_are_no_long_run() -> None:
    text = "q" + "\u0300" * 30 + "z"
    assert compose(text) == text


@pytest.mark.parametrize(
    ("needle", "text", "is_found"),
    [
        pytest.param("5", "the 5 ones", True, id="alone"),
        pytest.param("5", "15", False, id="end-of-a-number"),
        pytest.param("5", "5.25", False, id="whole-part"),
        pytest.param("25", "5.25", False, id="fraction"),
        pytest.param("5", "it is 5.", True, id="before-a-full-stop"),
        pytest.param("5", "15 and 5", True, id="later"),
        pytest.param("haus", "rathaus", True, id="compound"),
        pytest.param("", "anything", False, id="empty"),
    ],
)
def test_a_number_is_not_found_inside_another(needle: str, text: str, is_found: bool) -> None:
    assert Haystack(text).holds(needle) is is_found


def test_a_word_is_not_found_inside_another_when_whole_words_are_asked_for() -> None:
    assert Haystack("xab12", whole_words=True).holds("ab12") is False
    assert Haystack("id:ab12.", whole_words=True).holds("ab12") is True


class _CountingText(str):
    """A text that counts how often it is searched."""

    searches = 0

    def find(self, *args: Any) -> int:
        _CountingText.searches += 1
        return super().find(*args)


@pytest.mark.parametrize(
    ("needle", "searches"),
    [
        pytest.param("1", 200_001, id="short"),
        # a false start counts 1 + 16384 // 256 = 65 steps of the 200,000
        pytest.param("1" * 16_384, 3_077, id="long"),
    ],
)
def test_false_starts_are_bounded(needle: str, searches: int) -> None:
    _CountingText.searches = 0
    with pytest.raises(TooManyFalseStartsError, match=r"^$"):
        Haystack(_CountingText("1" * 250_000)).holds(needle)
    assert _CountingText.searches == searches


def test_all_that_is_looked_for_in_one_text_shares_one_bound() -> None:
    haystack = Haystack("1" * 150_000)
    assert haystack.holds("1") is False
    with pytest.raises(TooManyFalseStartsError, match=r"^$"):
        haystack.holds("1")
