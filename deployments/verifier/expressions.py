"""The mathematical expression that an answer gives, and whether two expressions are equal.

The reading of LaTeX and the algebra are math-verify's, on SymPy. They may take any time and memory, so only a process
that can be killed runs them.
"""

import logging
import re
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from deployments.verifier.numbers.before import CLAUSE_ENDS, WORD
from deployments.verifier.numbers.conclusion import last_number
from deployments.verifier.numbers.lexicon import tables

MAX_EXPRESSION_CHARS: Final = 1000
_TAIL_CHARS: Final = 20_000
_MAX_DEPTH: Final = 30  # of brackets, where LaTeX's grammar recurses
_MAX_DIGITS: Final = 100  # in a row
FUNCTIONS: Final = "arcsin arccos arctan sin cos tan cot sec csc sinh cosh tanh log ln exp max min gcd lcm".split()
_NAMED: Final = re.compile(rf"(?<![\\A-Za-z])({'|'.join(FUNCTIONS)})(?![A-Za-z])")
_ROOT: Final = re.compile(r"(?<![\\A-Za-z])sqrt\s?\(([^()]{1,200})\)")
_MATH: Final = re.compile(
    r"\$\$(.{1,1000}?)\$\$|\$([^$\n]{1,1000}?)\$|\\\((.{1,1000}?)\\\)|\\\[(.{1,1000}?)\\\]", re.DOTALL
)
_TEXT: Final = re.compile(r"\\(?:text|mathrm|mbox|textrm)\s?\{([^{}]{0,60})\}")
_PROSE: Final = re.compile(r"(?<!\\)\b[^\W\d_]{2,}\b")
_ROUNDED: Final = re.compile(r"-?\d{0,30}\.(\d{1,30})")
_EQUAL_DIGITS: Final = 20
_DEGREES: Final = re.compile(r"\\circ|\\degree|°")
_PI: Final = re.compile(r"\\pi|π|\bpi\b")
_POINTS: Final = ("0.7310585786", "1.3247179572", "2.6457513110", "0.5671432904", "3.3598856662", "1.9021605831")


def find_expression(answer: str, language: str) -> str | None:
    """The LaTeX of what an answer concludes on: its last box, else its last formula, else itself, else its number.

    None where that is unclear, as where a formula is denied or one of several.
    """
    tail = answer[-_TAIL_CHARS:]
    if "\\boxed" in tail:
        return _bounded(_boxed(tail))
    formulas = [*_MATH.finditer(tail)]
    if formulas:
        return _bounded(_formula(formulas, tail, language))
    whole = tail.strip().strip("*`").rstrip(".").strip()
    if len(whole) <= MAX_EXPRESSION_CHARS and not _PROSE.search(_ROOT.sub("", _NAMED.sub("", whole))):
        return _bounded(whole)
    number = last_number(answer, language)
    if number is None or not number.is_clear or not number.is_exact or number.unit == "%":
        return None
    return _as_latex(number.values[0])


def _as_latex(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def _boxed(text: str) -> str | None:
    """What stands in the last box, up to the brace that closes it."""
    begin = text.find("{", text.rfind("\\boxed")) + 1
    depth = 1
    for found in re.compile(r"[{}]").finditer(text, begin):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return text[begin : found.start()]
    return None


def _formula(formulas: list[re.Match[str]], text: str, language: str) -> str | None:
    last = formulas[-1]
    before = CLAUSE_ENDS.split(text[max(0, last.start() - 48) : last.start()])[-1]
    words = [word.casefold() for word in WORD.findall(before)][-3:]
    denied = tables.NEGATIONS_BEFORE | tables.HEDGES_BEFORE | tables.BOUNDS_BEFORE | tables.APPROXIMATE_BEFORE
    if any(word in denied and language in tables.ONLY_IN.get(word, (language,)) for word in words):
        return None
    gaps = (text[one.end() : other.start()].strip().casefold() for one, other in pairwise(formulas[-2:]))
    if any(gap in tables.RANGE_WORDS or gap in (",", ";") for gap in gaps):
        return None
    after = text[last.end() :].lstrip(" )*\"'").casefold()
    if after.startswith(("?", "or ", *tables.NEGATIONS_AFTER)):
        return None
    # a unit behind the formula belongs to it
    unit = WORD.match(after)
    body = next(group for group in last.groups() if group is not None)
    return f"{body}\\text{{{unit[0].rstrip('.')}}}" if unit and unit[0].rstrip(".") in tables.UNITS else body


def _bounded(expression: str | None) -> str | None:
    return expression if expression is not None and is_bounded(expression) else None


def is_bounded(expression: str) -> bool:
    """Whether an expression is short and shallow enough to be read."""
    if (
        not expression.strip()
        or len(expression) > MAX_EXPRESSION_CHARS
        or re.search(rf"\d{{{_MAX_DIGITS}}}", expression)
    ):
        return False
    depth = deepest = 0
    for char in expression:
        depth += (char in "{([") - (char in "})]")
        deepest = max(deepest, depth)
    return deepest <= _MAX_DEPTH


def are_equal(one: str, other: str) -> bool | None:
    """Whether two expressions have the same value; None where neither that nor the opposite is shown.

    True needs the algebra, and numbers at several points that agree to 20 digits. False needs numbers that differ.
    """
    if not _may_have_same_unit(one, other):
        return None
    first, second = _parse(one), _parse(other)
    if first is None or second is None:
        return None
    first, second = _value_of(first, second), _value_of(second, first)
    agrees = _agree(first, second)
    if agrees is False:
        return None if _is_rounded(other, first, second) or _are_other_angles(one, other) else False
    if _has_open_sum(second) and not _has_open_sum(first):
        return None  # 2 + 3 may be the question
    if agrees is None and not _is_relation(first, second):
        return True if first == second else None
    from math_verify import verify

    return True if verify(first, second, timeout_seconds=None) else None


def _are_other_angles(one: str, other: str) -> bool:
    """Whether one is an angle in degrees and the other may be one in radians."""
    in_degrees, in_radians = (
        [pattern.search(each) is not None for each in (one, other)] for pattern in (_DEGREES, _PI)
    )
    return in_degrees[0] != in_degrees[1] and in_radians[in_degrees[0]]


def _is_rounded(said: str, first: Any, second: Any) -> bool:
    """Whether a decimal fraction is the other value, rounded to its last digit."""
    found = _ROUNDED.fullmatch(said.strip())
    if found is None or first.free_symbols:
        return False
    return bool(abs(first - second).evalf(30) <= Fraction(1, 2 * 10 ** len(found[1])))


def _has_open_sum(expression: Any) -> bool:
    """Whether numbers are still to be added up."""
    from sympy import Add

    return any(all(part.is_Rational for part in addition.args) for addition in expression.atoms(Add))


def _may_have_same_unit(one: str, other: str) -> bool:
    first, second = (_TEXT.findall(expression) for expression in (one, other))
    first, second = (
        [tables.UNITS.get(text.strip().casefold(), text.strip()) for text in texts] for texts in (first, second)
    )
    return not first or not second or first == second


def load() -> None:
    """Load the libraries."""
    import math_verify

    # it warns at every call that it watches no time of its own; the process is killed instead
    logging.getLogger(math_verify.__name__).setLevel(logging.ERROR)


def _parse(expression: str) -> Any:
    """SymPy's form, with decimal fractions exact; None for what cannot be read."""
    from math_verify import LatexExtractionConfig, parse
    from sympy import Basic, Float, Rational
    from sympy.matrices.matrixbase import MatrixBase

    latex = _TEXT.sub("", _ROOT.sub(r"\\sqrt{\1}", expression))
    latex = _NAMED.sub(r"\\\1", latex).replace("\\,", "").replace("\\!", "").strip().rstrip(".").strip("$")
    found = parse(
        f"${latex}$", extraction_config=[LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None
    )
    if not found or not isinstance(found[0], Basic | MatrixBase):
        return None
    return found[0].xreplace({number: Rational(str(number)) for number in found[0].atoms(Float)})


def _value_of(relation: Any, other: Any) -> Any:
    """`x = 5` says 5, where the other side is no relation or says what x is too."""
    from sympy import Equality, Symbol
    from sympy.core.relational import Relational

    def is_assignment(side: Any) -> bool:
        return isinstance(side, Equality) and isinstance(side.lhs, Symbol) and side.lhs not in side.rhs.free_symbols

    if not is_assignment(relation):
        return relation
    same = is_assignment(other) and str(other.lhs) == str(relation.lhs)
    return relation.rhs if same or not isinstance(other, Relational) else relation


def _is_relation(first: Any, second: Any) -> bool:
    from sympy.core.relational import Relational

    return isinstance(first, Relational) and isinstance(second, Relational)


def _agree(first: Any, second: Any) -> bool | None:
    """Whether the numbers agree: of expressions at points, of sets, intervals, tuples and matrices one by one."""
    from sympy import Expr, FiniteSet, Interval, Tuple
    from sympy.matrices.matrixbase import MatrixBase

    pairs: Iterable[tuple[Any, Any]]
    if isinstance(first, Expr) and isinstance(second, Expr):
        return _agree_at_points(first, second)
    if isinstance(first, Interval) and isinstance(second, Interval):
        if (first.left_open, first.right_open) != (second.left_open, second.right_open):
            return False
        pairs = ((first.start, second.start), (first.end, second.end))
    elif isinstance(first, Tuple) and isinstance(second, Tuple):
        if len(first) != len(second):
            return False
        pairs = zip(first, second, strict=True)
    elif isinstance(first, FiniteSet) and isinstance(second, FiniteSet):
        if len(first) != len(second):
            return None if first.free_symbols | second.free_symbols else False
        pairs = zip(sorted(first, key=_place), sorted(second, key=_place), strict=True)
    elif isinstance(first, MatrixBase) and isinstance(second, MatrixBase):
        if first.shape != second.shape:
            return False
        pairs = zip(first, second, strict=True)
    else:
        return None
    agreed = [_agree(one, other) for one, other in pairs]
    return False if False in agreed else None if None in agreed else True


def _place(element: Any) -> tuple[bool, Any]:
    return (False, element.evalf(30)) if element.is_real and not element.free_symbols else (True, str(element))


def _agree_at_points(first: Any, second: Any) -> bool | None:
    if first == second:
        return True
    names = sorted({str(symbol) for symbol in first.free_symbols | second.free_symbols})
    if len(names) > len(_POINTS):
        return None
    turns = range(3) if names else range(1)
    found = [_agree_at(first, second, _at(names, turn)) for turn in turns]
    if None in found or not names:
        return None if None in found else all(found)
    if not all(found):
        return None if "i" in names else False  # i may be the imaginary unit
    # equal for positive numbers only, as 2 ln x and ln x²
    negative = {name: "-" + value for name, value in _at(names, 0).items()}
    return True if _agree_at(first, second, negative) else None


def _at(names: list[str], turn: int) -> dict[str, str]:
    return {name: _POINTS[(index + turn) % len(_POINTS)] for index, name in enumerate(names)}


def _agree_at(first: Any, second: Any, point: dict[str, str]) -> bool | None:
    one, other = _number(first, point), _number(second, point)
    if one is None or other is None:
        return None
    from sympy import Abs, Float

    allowed = Float(10) ** -_EQUAL_DIGITS * (1 + Abs(other))
    return bool(Abs(one - other).evalf(30) <= allowed)


def _number(expression: Any, point: dict[str, str]) -> Any:
    from sympy import Rational

    values = {symbol: Rational(point[str(symbol)]) for symbol in expression.free_symbols}
    number = expression.doit().xreplace(values).evalf(40)
    return number if number.is_number and number.is_finite else None
