import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.search.fit import Fit
from deployments.verifier.search.haystack import MAX_CLOSE_LOOKS, MAX_STEPS, Haystack, TooManyFalseStartsError
from deployments.verifier.text.normalise import fold


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


DENIED = """
el: εκτός από Lima
ar: ليست في Lima
ar: لا Quito ولا Lima
cs: ne v Lima
cs: kromě Lima
de: nicht in Lima
de: anders als Lima
el: ούτε Quito ούτε Lima
el: όχι στη Lima
en: far from Lima
en: nobody says Lima
es: Lima es incorrecto
es: excepto Lima
fi: ei Lima
fi: ei Quito eikä Lima
fr: Lima est faux
fr: au lieu de Lima
he: לא Quito ולא Lima
he: במקום Lima
hi: न Quito न Lima
hi: Lima में नहीं
hu: nem Lima
hu: Lima kivételével
id: bukan Quito maupun Lima
id: alih-alih Lima
it: tranne Lima
it: invece di Lima
ja: Limaの代わりに
ja: Lima以外
ko: Lima를 제외하고
ko: Lima 대신
nl: niet in Lima
nl: Lima is fout
pl: nie w Lima
pl: nigdy Lima
pt: ao contrário de Lima
pt: exceto Lima
ro: nici Quito, nici Lima
ro: cu excepția Lima
ru: ни Quito, ни Lima
ru: Lima — неверно
sv: inte i Lima
sv: i stället för Lima
th: แทนที่จะเป็น Lima
th: ยกเว้น Lima
tr: Lima yanlış
tr: Lima'da değil
uk: ні Quito, ні Lima
uk: замість Lima
vi: Lima là sai
vi: không phải Quito cũng không phải Lima
zh: 除了Lima
zh: 既非Quito也非Lima
de: außer Lima
en: Lima is not correct
en: **Lima** isn’t right
en: Lima was not the answer
en: Lima cannot be it
de: Lima ist nicht richtig
de: Lima ist nicht die Antwort
fr: Lima n'est pas la bonne réponse
es: Lima no es correcta
pt: Lima não é a resposta
it: Lima non è corretto
nl: Lima is niet juist
sv: Lima är inte rätt
da: Lima er ikke svaret
ru: Lima не является верным ответом
pl: Lima nie jest poprawna
"""


@pytest.mark.parametrize("line", [pytest.param(line, id=line) for line in DENIED.strip().splitlines()])
def test_a_value_that_is_denied_is_unclear(line: str) -> None:
    language, _, text = line.partition(": ")
    assert Haystack(fold(text, language), language).fit("lima") is Fit.UNCLEAR


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Lima is not far from there", id="denies-something-else"),
        pytest.param("Lima, Peru", id="country"),
        pytest.param("not Quito: Lima", id="denies-another"),
        pytest.param("that is false; it is Lima", id="wrong-before"),
    ],
)
def test_a_denial_of_something_else_leaves_it_whole(text: str) -> None:
    assert Haystack(fold(text, "en"), "en").fit("lima") is Fit.WHOLE


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
