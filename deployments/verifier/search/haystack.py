"""Values looked for in a text, as words and numbers of their own."""

import re

from deployments.verifier.numbers.readings import readings
from deployments.verifier.search import number_edges, word_edges
from deployments.verifier.search.fit import Fit
from deployments.verifier.text.wording import calls_false, denies_beside

MAX_STEPS = 20_000  # places looked at in one text; a long value costs several, as `find` prepares it anew
_NEEDLE_CHARS_PER_STEP = 256
# places at which it takes more than the two neighbours to tell
MAX_CLOSE_LOOKS = 40
MAX_READINGS = 4  # numbers that are read with the words around them; more are unclear
NEAR_CHARS = 40  # how far the words beside a place matter
_DIGIT = re.compile(r"\d")
_EMOJI = re.compile("[\u2640\u2642\u2695-\u27bf\U0001f1e6-\U0001faff]")
_WORD_START, _WORD_END = re.compile(r"^\S+(?=\s)"), re.compile(r"(?<=\s)\S+$")


class TooManyFalseStartsError(Exception):
    """What is looked for stands in the text too often as a part of something longer."""


class Haystack:
    """A folded text in which folded texts are looked for, with one account of false starts for all of them."""

    def __init__(self, text: str, language: str = "unknown", *, is_cut: bool = False) -> None:
        """Of a text that is cut, places near its end do not count, since what follows may change what they are."""
        self._text = text
        self._end = max(0, len(text) - NEAR_CHARS) if is_cut else len(text)
        self._language = language
        self._steps = MAX_STEPS
        self._close_looks = MAX_CLOSE_LOOKS
        self._readings = MAX_READINGS

    def holds(self, needle: str) -> bool:
        """Whether `needle` stands in the text as words or numbers of its own."""
        return self.fit(needle) is Fit.WHOLE

    def fit(self, needle: str) -> Fit:
        """The best that can be said of `needle` at any of its places; raises TooManyFalseStartsError."""
        best = Fit.NONE
        start = self._text.find(needle, 0, self._end) if needle else -1
        while start >= 0 and best is not Fit.WHOLE:
            best = max(best, self._fit_at(start, needle))
            start = self._text.find(needle, start + 1, self._end)
        return best

    def _fit_at(self, start: int, needle: str) -> Fit:
        self._steps -= 1 + len(needle) // _NEEDLE_CHARS_PER_STEP
        end = start + len(needle)
        if _is_same_run(self._text[start - 1 : start], needle[0]):
            self._check(self._steps)
            return Fit.PART
        self._close_looks -= 1
        self._check(min(self._steps, self._close_looks))
        found = min(self._left(start, needle), self._right(start, end, needle))
        before, after = self._text[max(0, start - NEAR_CHARS) : start], self._text[end : end + NEAR_CHARS]
        if found is not Fit.WHOLE:
            return found
        is_denied = denies_beside(before, after, self._language) or (not needle[-1].isdigit() and calls_false(after))
        return Fit.UNCLEAR if is_denied or self._reads_otherwise(before, needle, after) else Fit.WHOLE

    def _reads_otherwise(self, before: str, needle: str, after: str) -> bool:
        """Whether no number there is the one that is looked for: `5` in `5 million` is not."""
        if not _DIGIT.search(needle) or number_edges.is_year(needle):
            return False
        self._readings -= 1
        if self._readings < 0:
            return True
        wanted = readings(needle, self._language)
        if len(wanted) != 1 or not wanted[0].is_clear:
            return False
        found = readings(_whole_words(before, needle, after), self._language)
        return not any(set(wanted[0].values) & set(reading.values) for reading in found)

    def _check(self, left: int) -> None:
        if left < 0:
            raise TooManyFalseStartsError

    def _left(self, start: int, needle: str) -> Fit:
        if _is_number(needle):
            return number_edges.left(self._text, start, needle)
        return word_edges.left(self._text, start, self._language) if word_edges.is_word_char(needle[0]) else Fit.WHOLE

    def _right(self, start: int, end: int, needle: str) -> Fit:
        if needle[-1].isdigit():
            return number_edges.right(self._text, start, end)
        if word_edges.is_word_char(needle[-1]):
            return word_edges.right(self._text, start, end, self._language)
        if _EMOJI.match(needle[-1]) and _EMOJI.match(self._text, end):
            return Fit.UNCLEAR  # signs that are joined to one, as those of a family or of a colour of skin
        return Fit.PART if self._text[end : end + 1] == needle[-1] and needle[-1] in "+#" else Fit.WHOLE


def _whole_words(before: str, needle: str, after: str) -> str:
    """A place with the words around it, without those that the bounds of the place have cut."""
    if len(before) == NEAR_CHARS:
        before = _WORD_START.sub("", before)
    if len(after) == NEAR_CHARS:
        after = _WORD_END.sub("", after)
    return before + needle + after


def _is_same_run(before: str, first: str) -> bool:
    """Two ASCII letters, or two digits, side by side."""
    if before.isdigit():
        return first.isdigit()
    return before.isascii() and before.isalpha() and first.isascii() and first.isalpha()


def _is_number(needle: str) -> bool:
    """A digit, also behind a sign and a currency."""
    return needle.lstrip("+-.,%" + number_edges.CURRENCY_SIGNS)[:1].isdigit()
