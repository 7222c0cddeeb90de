"""Properties of the numeric check over generated answers."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.contract.verdict import Outcome
from tests.unit.deployments.verifier.asked import evidence, outcome

# what is generated says its value by construction: this is the independent reading
_WHOLE = st.integers(0, 10**6)
_DIGIT = st.integers(1, 9)


@st.composite
def _decimals(draw: st.DrawFn) -> tuple[str, Fraction]:
    text = f"{draw(_WHOLE)}.{draw(st.text('0123456789', min_size=1, max_size=6))}"
    return text, Fraction(text)


@st.composite
def _grouped(draw: st.DrawFn) -> tuple[str, Fraction]:
    number = draw(st.integers(1000, 10**12))
    mark = draw(st.sampled_from([",", "'", "_", "\u202f", "{,}", "\\,"]))
    return f"{number:,}".replace(",", mark), Fraction(number)


@st.composite
def _fractions(draw: st.DrawFn) -> tuple[str, Fraction]:
    above, below = draw(st.integers(1, 99)), draw(st.integers(2, 99))
    form = draw(st.sampled_from(["{a}/{b}", "\\frac{{{a}}}{{{b}}}", "\\dfrac{{{a}}}{{{b}}}", "$\\frac{{{a}}}{{{b}}}$"]))
    return form.format(a=above, b=below), Fraction(above, below)


@st.composite
def _mixed(draw: st.DrawFn) -> tuple[str, Fraction]:
    whole, vulgar = draw(st.integers(1, 99)), draw(st.sampled_from("½¼¾⅓⅔⅛⅜⅝⅞"))
    parts = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8)}
    return f"{whole}{vulgar}", whole + Fraction(*parts.get(vulgar, (7, 8)))


@st.composite
def _powers(draw: st.DrawFn) -> tuple[str, Fraction]:
    base, exponent = draw(st.integers(2, 20)), draw(st.integers(2, 9))
    form = draw(st.sampled_from(["{b}^{e}", "{b}^{{{e}}}", "{b}**{e}", "{b}{s}"]))
    small = "⁰¹²³⁴⁵⁶⁷⁸⁹"[exponent]
    return form.format(b=base, e=exponent, s=small), Fraction(base**exponent)


@st.composite
def _scientific(draw: st.DrawFn) -> tuple[str, Fraction]:
    factor, exponent = draw(st.integers(1, 99)), draw(st.integers(-9, 12))
    form = draw(st.sampled_from(["{f}e{e}", "{f} × 10^{{{e}}}", "{f} \\times 10^{{{e}}}", "{f}*10**{e}"]))
    return form.format(f=factor, e=exponent), factor * Fraction(10) ** exponent


@st.composite
def _scaled(draw: st.DrawFn) -> tuple[str, Fraction]:
    number = draw(st.integers(1, 999))
    word, power = draw(
        st.sampled_from([("thousand", 3), ("million", 6), ("billion", 9), ("k", 3), ("lakh", 5), ("crore", 7)])
    )
    return f"{number}{'' if word == 'k' else ' '}{word}", Fraction(number * 10**power)


@st.composite
def _signed(draw: st.DrawFn, *signs: str) -> tuple[str, Fraction]:
    text, value = draw(st.one_of(_decimals(), _DIGIT.map(lambda n: (str(n), Fraction(n)))))
    sign = draw(st.sampled_from(signs))
    return sign + text, value if sign in ("", "+") else -value


@st.composite
def _roots(draw: st.DrawFn) -> tuple[str, Fraction]:
    number = draw(st.integers(2, 99))
    return draw(st.sampled_from(["√{n}", "\\sqrt{{{n}}}", "sqrt({n})"])).format(n=number * number), Fraction(number)


def _calculated(one: int, operator: str, other: int) -> Fraction:
    if operator == "+":
        return Fraction(one + other)
    return Fraction(one, other) if operator == "÷" else Fraction(one * other)


_SIGNED = _signed("-", "−", "–", "+", "")
# of each kind some are drawn in every test: of all kinds together a few might be left out
_KINDS = {
    "decimals": _decimals(),
    "grouped": _grouped(),
    "fractions": _fractions(),
    "mixed": _mixed(),
    "powers": _powers(),
    "scientific": _scientific(),
    "scaled": _scaled(),
    "signed": _SIGNED,
    "signed in words": _signed("minus ", "negative "),
    "roots": _roots(),
    "calculated": st.tuples(_DIGIT, st.sampled_from("+*×·÷"), _DIGIT).map(
        lambda p: (f"{p[0]}{p[1]}{p[2]}", _calculated(*p))
    ),
}
_EXPRESSIONS = st.one_of(*_KINDS.values())
_EACH_KIND = pytest.mark.parametrize("kind", _KINDS)
_SENTENCES = st.sampled_from(
    ["{}", "The answer is {}.", "It is {}", "x = {}", "So we get {} in the end.", "Result: {}\n"]
)
_WRAPPINGS = st.sampled_from(["**{}**", "`{}`", "*{}*", '"{}"', "({})", "\\boxed{{{}}}", "<b>{}</b>", "> {}", "# {}"])


def _values(text: str) -> list[str]:
    """Every number that can be cut out of a text: runs of digits, whole and in part, with signs and points."""
    runs = ["".join(run) for run in "".join(c if c.isdigit() and c.isascii() else " " for c in text).split()]
    parts = {run[begin:] for run in runs for begin in range(min(len(run), 6))} | {
        run[:end] for run in runs for end in range(1, min(len(run), 6))
    }
    return sorted({*parts, *(f"-{part}" for part in parts), *(f"0.{part}" for part in parts)})[:60]


def _outcome(answer: str, value: str, finish_reason: str | None = None, which: str = "last") -> Outcome:
    spec = {"type": "numeric", "value": Decimal(value), "which": which}
    return outcome(spec, evidence(answer, "en", finish_reason=finish_reason))[0]


@_EACH_KIND
@settings(max_examples=4, deadline=None)
@given(data=st.data(), sentence=_SENTENCES, which=st.sampled_from(["last", "first", "any"]))
def test_no_part_of_an_expression_is_accepted_for_it(kind: str, data: st.DataObject, sentence: str, which: str) -> None:
    text, value = data.draw(_KINDS[kind])
    accepted = [
        other for other in _values(text) if _outcome(sentence.format(text), other, which=which) is Outcome.CORRECT
    ]
    assert [other for other in accepted if Fraction(other) != value] == []


@_EACH_KIND
@settings(max_examples=4, deadline=None)
@given(data=st.data(), sentence=_SENTENCES)
def test_the_value_of_an_expression_is_never_wrong(kind: str, data: st.DataObject, sentence: str) -> None:
    text, value = data.draw(_KINDS[kind])
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    if Fraction(exact) == value:
        assert _outcome(sentence.format(text), str(exact)) is not Outcome.WRONG


@settings(max_examples=20, deadline=None)
@given(st.one_of(_decimals(), _grouped(), _SIGNED), _WRAPPINGS)
def test_wrapping_never_turns_a_verdict(said: tuple[str, Fraction], wrapping: str) -> None:
    text, value = said
    exact = str(Decimal(value.numerator) / Decimal(value.denominator))
    for wanted in (exact, "7.5"):
        plain, wrapped = _outcome(text, wanted), _outcome(wrapping.format(text), wanted)
        # brackets may make a number negative or a pair, and a sign before it may compare it
        assert wrapped is plain or (wrapped is Outcome.UNKNOWN and wrapping in ("({})", "> {}"))


@settings(max_examples=20, deadline=None)
@given(
    _EXPRESSIONS,
    st.sampled_from([" I hope that helps.", "\n\nLet me know if you need more!", " See [1].", " [2][3]", ""]),
)
def test_trailing_text_never_turns_a_verdict(said: tuple[str, Fraction], trailing: str) -> None:
    text, _ = said
    answer = f"The answer is {text}."
    for wanted in _values(text)[:20]:
        assert _outcome(answer + trailing, wanted) in (_outcome(answer, wanted), Outcome.UNKNOWN)


@settings(max_examples=20, deadline=None)
@given(_EXPRESSIONS, _SENTENCES, st.integers(0, 60), st.sampled_from(["last", "first", "any"]))
def test_a_cut_never_makes_a_wrong_answer_correct(
    said: tuple[str, Fraction], sentence: str, length: int, which: str
) -> None:
    text, _ = said
    whole = sentence.format(text) + " And then some."
    for wanted in _values(text)[:20]:
        if _outcome(whole[:length], wanted, "length", which) is Outcome.CORRECT:
            assert _outcome(whole, wanted, which=which) is Outcome.CORRECT


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=80), st.sampled_from(["en", "de", "zh", "ar", "unknown"]))
def test_any_text_can_be_read(text: str, language: str) -> None:
    for which in ("last", "first", "any"):
        spec = {"type": "numeric", "value": 5, "which": which}
        assert outcome(spec, evidence(text + "5", language))[0] in Outcome


@settings(max_examples=30, deadline=None)
@given(st.text("0123456789.,'^*/-+×√½()[]{}$\\%!?=_ ekm万億\n", max_size=40), st.integers(0, 99))
def test_a_longer_number_around_it_is_never_the_number(noise: str, number: int) -> None:
    answer = f"{noise}7{number}7{noise}"
    assert _outcome(answer, str(number)) is not Outcome.CORRECT or str(number) in noise
