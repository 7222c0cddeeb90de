"""RE2 patterns that tell a right answer from a repeated prompt, and take digits of any script."""

import re
from collections.abc import Sequence

import re2

# The digits as people of various scripts type them; RE2 sees the answer as it was written.
_ZEROS = "0٠۰०০๐０"


def in_order(values: Sequence[str]) -> str:
    """The first long numbers of the text are these, of five digits each, in this order.

    Numbers of fewer digits than a value, as those of a list, may stand between them.
    """
    short_numbers = r"(?:\p{Nd}{0,4}\P{Nd})*"
    written = (rf"{_digits(value[:2])}[,.٬]?{_digits(value[2:])}" for value in values)
    between = rf"\P{{Nd}}{short_numbers}"
    return rf"\A{short_numbers}{between.join(written)}(?:\P{{Nd}}|\z)"


def worked_out(result: int, number: int, terms: Sequence[int]) -> str:
    """The first number of the text is the result, unless the number of the exercise or its terms lead up to it."""
    exercise = rf"(?:{_digits(str(number))}\P{{Nd}}+)?"
    calculation = "".join(rf"{_digits(str(term))}\P{{Nd}}+" for term in terms)
    return rf"\A\P{{Nd}}*{exercise}(?:{calculation})?{_digits(str(result))}(?:\P{{Nd}}|\z)"


def named_first(word: str, other: str, between: str, *, recited: str) -> str:
    """`word` is found early, `other` does not stand before it, nor right behind with `between` before it.

    `other` is known by its first three characters. Early is earlier than in an answer that says what was `recited`.
    """
    step = _anything_but(other[:3])
    most = sum(1 for _ in re2.finditer(f"(?is:{step})", recited)) - 1
    return rf"\A(?s:{step}){{0,{most}}}?{re.escape(word)}(?s:\z|{_anything_but(between + other[:3])})"


def _digits(digits: str) -> str:
    return "".join(f"[{''.join(chr(ord(zero) + int(digit)) for zero in _ZEROS)}]" for digit in digits)


def _anything_but(literal: str) -> str:
    """A piece of text that leaves the literal at some character: RE2 has no look-ahead."""
    steps = [rf"{re.escape(literal[:i])}(?:[^{re.escape(literal[i])}]|\z)" for i in range(len(literal))]
    return "|".join([f"[^{re.escape(literal[0])}]", *steps[1:]])
