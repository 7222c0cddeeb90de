"""The pieces of an answer that carry its facts, and whether each stands in the prompt."""

import re
from decimal import Decimal
from itertools import islice

from deployments.verifier.search.haystack import Haystack
from deployments.verifier.text.normalise import UNSPACED_LANGUAGES, fold, normalise, plain
from deployments.verifier.text.numbers import find_numbers

MAX_SPANS = 200
MIN_SPAN_CHARS = 2
SHORT_WORDS = 3
SHORT_UNSPACED_CHARS = 12
# German writes every noun with a capital, so a capital says nothing about names
CAPITAL_NOUN_LANGUAGES = frozenset({"de", "lb"})

_LIST_MARKER = re.compile(r"^[ \t]{0,8}\d{1,3}[.)][ \t]+", re.MULTILINE)
_QUOTED = re.compile(r"\"([^\"]{1,512})\"|`([^`]{1,512})`|\*\*([^*]{1,512})\*\*")
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:[_./:@#-]+[A-Za-z0-9]+)*")
_WITH_UNIT = re.compile(r"[0-9.:/-]+[A-Za-z]{0,3}")
_MIN_CODE_CHARS = 4
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def count_grounded(answer: str, prompt: str, language: str) -> tuple[int, int]:
    """How many of the answer's spans stand in the prompt, and how many there are.

    Spans are quotations, codes, numbers and capitalised names. An answer that stands in the prompt as a whole
    is one span that does; one of a few words without spans is one span that may or may not. Raises
    TooManyFalseStartsError.
    """
    haystack = Haystack(plain(prompt, language), language)
    whole = normalise(answer, language)
    if haystack.holds(whole):
        return 1, 1
    texts, numbers = _spans(answer, language)
    if not texts and not numbers:
        return 0, int(_is_short(whole, language))
    missing = _missing(numbers, prompt, language)
    found = sum(map(haystack.holds, texts))
    return found + len(numbers) - len(missing), len(texts) + len(numbers)


def _missing(numbers: set[Decimal], prompt: str, language: str) -> set[Decimal]:
    """The numbers that the prompt does not hold; stops reading it when none is left."""
    missing = set(numbers)
    for number in find_numbers(prompt, language) if missing else ():
        missing.discard(number.value)
        if not missing:
            break
    return missing


def _spans(answer: str, language: str) -> tuple[list[str], set[Decimal]]:
    """Texts, normalised and without repetitions, and values of numbers; a number in a code is none."""
    text = fold(_LIST_MARKER.sub("", answer), language, ignore_case=False)
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(text)]
    codes = [token for token in _TOKEN.findall(text) if _is_code(token)]
    rest = _TOKEN.sub(lambda token: "" if _is_code(token[0]) else token[0], text)
    names = [] if language in CAPITAL_NOUN_LANGUAGES else _names(rest)
    texts = dict.fromkeys(normalise(span, language) for span in (*quoted, *codes, *names))
    found = islice(find_numbers(rest, language), MAX_SPANS)
    numbers = {number.value for number in found if len(str(number.value.copy_abs())) >= MIN_SPAN_CHARS}
    return [span for span in texts if len(span) >= MIN_SPAN_CHARS][:MAX_SPANS], numbers


def _is_code(token: str) -> bool:
    """An identifier: letters and digits together, or words joined as no prose joins them; `25km` is a number."""
    if len(token) < _MIN_CODE_CHARS or _WITH_UNIT.fullmatch(token):
        return False
    has_both = any(char.isdigit() for char in token) and any(char.isalpha() for char in token)
    return has_both or "_" in token or "@" in token or "://" in token


def _names(text: str) -> list[str]:
    """Runs of capitalised words; the first word of a sentence has its capital from there, so it is left out."""
    runs: list[list[str]] = []
    last_end = -1
    for found in _WORD.finditer(text):
        if not found[0][0].isupper() or _starts_sentence(text, found.start()):
            continue
        if runs and text[last_end : found.start()] == " ":
            runs[-1].append(found[0])
        else:
            runs.append([found[0]])
        last_end = found.end()
    return [" ".join(run) for run in runs]


def _starts_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 4) : start].rstrip(" \"'*`(")
    return not before or before[-1] in ".!?:-"


def _is_short(text: str, language: str) -> bool:
    if language in UNSPACED_LANGUAGES:
        return len(text) <= SHORT_UNSPACED_CHARS
    return len(text.split(" ")) <= SHORT_WORDS
