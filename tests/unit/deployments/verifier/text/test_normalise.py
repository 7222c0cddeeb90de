import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deployments.verifier.text.normalise import compose, fold, loosen, normalise, plain, vowel_signs


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
        pytest.param("ar", "\u200f٤٢", "42", id="ar-digits-and-bidi"),
        pytest.param("hi", "१२३।", "123", id="hi-digits-and-danda"),
        pytest.param("th", "กรุง เทพ ๔๒", "กรุงเทพ42", id="th-space-and-digits"),
        pytest.param("tr", "ISPARTA", "ısparta", id="tr-dotless"),
        pytest.param("tr", "İZMİR", "izmir", id="tr-dotted"),
        pytest.param("en", "İZMİR", "izmir", id="en-dotted-capital"),
        pytest.param("en", "ISPARTA", "isparta", id="en-plain-i"),
        pytest.param("ru", "«МОСКВА»", "москва", id="ru-capitals"),
        pytest.param("unknown", "-5", "-5", id="minus-stays"),
        pytest.param("unknown", "10³", "10^3", id="power"),
        pytest.param("unknown", "㎡", "m^2", id="square-unit"),
        pytest.param("unknown", "H₂O", "h2o", id="index-of-a-letter"),
        pytest.param("unknown", "log₂8", "log_2 8", id="base-beside-a-digit"),
        pytest.param("unknown", "1½", "1 1/2", id="mixed-number"),
        pytest.param("unknown", "1\u200b½", "1 1/2", id="mixed-number-with-something-invisible"),
        pytest.param("unknown", "5①", "5 1", id="circled-digit-beside-a-digit"),
        pytest.param("unknown", "5!", "5!", id="factorial-stays"),
        pytest.param("unknown", "Paris!", "paris", id="exclamation-goes"),
        pytest.param("unknown", "f'", "f'", id="prime-stays"),
        pytest.param("unknown", "'f'", "f", id="quotes-go"),
        pytest.param("unknown", ",5", ",5", id="decimal-mark-stays"),
        pytest.param("unknown", "!x", "!x", id="negation-stays"),
        pytest.param("unknown", "p*", "p*", id="star-stays"),
        pytest.param("unknown", "*p*", "p", id="emphasis-goes"),
        pytest.param("unknown", "__init__", "__init__", id="name-in-code-stays"),
        pytest.param("unknown", "```py\nx\n```", "x", id="fence"),
        pytest.param("unknown", "$\\boxed{\\text{x}}$", "x", id="latex"),
        pytest.param("unknown", "> **Paris**.", "paris", id="quotation-of-bold"),
        pytest.param("unknown", "<b>Paris</b>", "paris", id="tag"),
        pytest.param("he", "שָׁלוֹם", "שלום", id="he-points"),
        pytest.param("th", "นํ้า", "น้ํา", id="th-tone-mark"),
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
    ("language", "one", "other"),
    [
        pytest.param("el", "ΑΘΗΝΑ", "Αθήνα", id="el-accents"),
        pytest.param("ru", "елка", "ёлка", id="ru-yo"),
        pytest.param("de", "Mueller", "Müller", id="de-umlaut"),
        pytest.param("ar", "احمد", "أحمد", id="ar-hamza"),
        pytest.param("fa", "ايران", "ایران", id="fa-ya"),
        pytest.param("en", "m2", "m²", id="en-square"),
        pytest.param("en", "Paris?", "(Paris)", id="en-brackets-and-question"),
    ],
)
def test_what_writers_leave_out_is_equal_only_loosely(language: str, one: str, other: str) -> None:
    one, other = normalise(one, language), normalise(other, language)
    assert one != other
    assert loosen(one, language) == loosen(other, language)


def test_vowel_signs_are_told_from_letters() -> None:
    assert vowel_signs("كَتَبَ") == "\u064e\u064e\u064e"
    assert vowel_signs("كتب") == vowel_signs("été") == ""


_INNER = ["{}", "**{}**", "*{}*", "`{}`", '"{}"', "“{}”", "「{}」", "{}.", "<b>{}</b>"]
_OUTER = ["{}", " {} ", "\n{}\n", "# {}", "> {}", "{}."]


@given(
    text=st.text(st.characters(categories=["L", "N", "Mn", "Mc", "Pd", "Sm"]), min_size=1),
    wrapping=st.sampled_from(_INNER),
    outer=st.sampled_from(_OUTER),
)
def test_wrapping_changes_nothing(text: str, wrapping: str, outer: str) -> None:
    assume(not set(text) & set("*`<>~") and text.strip() == text and normalise(text))
    assert normalise(outer.format(wrapping.format(text))) == normalise(text)


@given(text=st.text())
def test_folding_any_text_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
