"""The pieces of an answer that carry its facts, and whether each stands in the material of the prompt.

That is all that is looked at. Whether the material says what the answer makes of these pieces is not seen.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from deployments.verifier.facts.amounts import Amount, find_amounts, say_same
from deployments.verifier.facts.function_words import function_words
from deployments.verifier.facts.material import split_prompt
from deployments.verifier.search import word_edges
from deployments.verifier.search.fit import Fit
from deployments.verifier.text.normalise import fold

MAX_SPANS = 200
MAX_PLACES = 20  # of one word, at which it is looked at closely
# German writes every noun with a capital, so a capital says nothing about names
CAPITAL_NOUN_LANGUAGES = frozenset({"de", "lb"})

_LIST_MARKER = re.compile(r"^[ \t]{0,8}(?:\d{1,3}[.)]|[-*•+])[ \t]+", re.MULTILINE)
_QUOTED = re.compile(r"\"([^\"]{1,512})\"|`([^`]{1,512})`")
# Addresses, identifiers, dates and times: what is joined by signs is compared as it is written.
_JOINED = re.compile(r"(?<![\w.])[A-Za-z0-9][A-Za-z0-9]*(?:[_./:@#%&=?+-]+[A-Za-z0-9]+)+/?(?![\w])")
_MIXED = re.compile(r"(?<!\w)(?=\w*[A-Za-z])(?=\w*\d)\w+(?!\w)")
_NUMBER_AND_UNIT = re.compile(r"[\d.,]+(?:-?[a-zµ%°]{1,5}|/[a-z]{1,12})?")
_DIGIT = re.compile(r"\d")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"[{_UNSPACED}]+|[^\W\d_{_UNSPACED}](?:[^\W\d_{_UNSPACED}]|[\u0300-\u036f\u0590-\u05ff\u0610-\u061a\u064b-\u065f\u0900-\u0dff])*"
    rf"(?:['-][^\W\d_{_UNSPACED}]+)*|\d+(?:[.,]\d+)*|[^\w\s]"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n。！？•*-]|\d[.)])[\s\"'(*`_-]*$")
# Signs and particles that stand between words in scripts without spaces.
_PARTICLES = re.compile(
    "[はがをにのでともへやですますだったしたいるれらはい、。的了是在有为為和与與也都就着被把对對等个個]+"
)
_THAI_LIKE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")


class Support(StrEnum):
    FOUND = "found"
    UNCLEAR = "unclear"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Grounds:
    """How many of an answer's pieces stand in the material, cannot be told, and do not stand there."""

    found: int
    unclear: int
    missing: int

    @property
    def total(self) -> int:
        return self.found + self.unclear + self.missing


def grounds(answer: str, prompt: str, language: str) -> Grounds:
    """Look for each piece of the answer in the prompt's material.

    Pieces are quotations, codes, addresses and dates; numbers with what they count; and words that may be names: those
    with a capital, and in scripts without capitals, or in German, all of them. A name at the beginning of a sentence
    that the material lacks may be a common word, a word with another ending the same one, a number that counts
    something else a translation: these are unclear. What stands in the prompt's questions, orders and labels alone is
    unclear as well.
    """
    parts = split_prompt(prompt)
    given, asked = _Text(parts.given, language), _Text(parts.asked, language)
    whole = _tokens(fold(answer, "unknown", ignore_case=False))
    if (not given.holds(whole) and asked.holds(whole)) or set(whole) <= set(_tokens(parts.labels)):
        return Grounds(0, 1, 0)
    said = fold(_LIST_MARKER.sub("", answer), "unknown", ignore_case=False)
    votes = [
        *_pieces(said, given, asked),
        *_amounts(said, given.folded, asked.folded, language),
        *_names(said, given, asked, language),
    ]
    if not votes and given.holds(_tokens(said)) and not _is_empty(said, language):
        votes = [Support.FOUND]
    return Grounds(*(sum(vote is support for vote in votes) for support in Support))


class _Text:
    """A text to look things up in: its words, and the words in their order."""

    def __init__(self, text: str, language: str) -> None:
        self.language = language
        self.folded = fold(text, "unknown", ignore_case=False)
        tokens = _tokens(self.folded)
        self.words = frozenset(tokens)
        self.small = frozenset(token for token in _TOKEN.findall(self.folded) if token == token.casefold())
        self.codes = frozenset(code.casefold() for code in _codes(self.folded))
        self._line = f" {' '.join(tokens)} "
        self.dense = re.sub(r"\s+", "", self.folded.casefold())
        self._stems = frozenset(word[:4] for word in self.words if len(word) >= 4)

    def holds(self, tokens: Sequence[str]) -> bool:
        """Whether the words stand there one after the other."""
        line = " ".join(tokens)
        return bool(line) and (
            f" {line} " in self._line or (_is_unspaced(line) and line.replace(" ", "") in self.dense)
        )

    def has_word(self, word: str) -> bool:
        """Whether a word stands there, be it with a particle that is written together with it."""
        if word in self.words:
            return True
        places = islice(re.finditer(re.escape(word), self.folded), MAX_PLACES)
        return any(_is_own_word(self.folded, *place.span(), self.language) for place in places)

    def resembles(self, word: str) -> bool:
        """Whether a word of the text begins like this one, as with another ending."""
        if word[:4] not in self._stems or len(word) < 4:
            return False
        return any(_shared(word, other) >= 0.6 * max(len(word), len(other)) for other in self.words)


def _is_own_word(text: str, start: int, end: int, language: str) -> bool:
    return word_edges.left(text, start, language) is word_edges.right(text, start, end, language) is Fit.WHOLE


def _tokens(text: str) -> list[str]:
    return [token.casefold() for token in _TOKEN.findall(text) if token[0].isalnum() or not _is_punctuation(token)]


def _is_punctuation(char: str) -> bool:
    return char in "\"'`*_.,:;!?()[]{}-–—/\\|#&@…·•«»“”„‘’、。「」『』¿¡।"


def _is_unspaced(text: str) -> bool:
    return re.search(f"[{_UNSPACED}]", text) is not None


def _shared(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _is_empty(answer: str, language: str) -> bool:
    words = function_words(language)
    return all(token in words for token in _tokens(answer))


# -- quotations, codes, addresses, dates --------------------------------------------------------------------


def _pieces(said: str, given: _Text, asked: _Text) -> Iterator[Support]:
    quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(said)]
    for quotation in quoted[:MAX_SPANS]:
        yield _where(_tokens(quotation), given, asked)
    outside = _QUOTED.sub(" ", said)
    for code in list(dict.fromkeys(code.casefold() for code in _codes(outside)))[:MAX_SPANS]:
        if code in given.codes:
            yield Support.FOUND
        else:
            # a date may be written in another way
            yield Support.UNCLEAR if code in asked.codes or not re.search("[a-z]", code) else Support.MISSING


def _codes(text: str) -> Iterator[str]:
    # a part of a joined one is none of its own
    for found in (*_JOINED.finditer(text), *_MIXED.finditer(_JOINED.sub(" ", text))):
        code = found[0].rstrip("./")
        has_digit = _DIGIT.search(code) is not None
        is_plain = _NUMBER_AND_UNIT.fullmatch(code.casefold()) or re.fullmatch(r"[A-Za-z]+(?:[-/][A-Za-z]+)+", code)
        if not is_plain and (has_digit or "_" in code or "@" in code or "://" in code or "." in code):
            yield code


def _where(tokens: Sequence[str], given: _Text, asked: _Text) -> Support:
    if given.holds(tokens):
        return Support.FOUND
    return Support.UNCLEAR if asked.holds(tokens) or not tokens else Support.MISSING


# -- numbers ------------------------------------------------------------------------------------------------


def _amounts(said: str, given: str, asked: str, language: str) -> Iterator[Support]:
    mine = list(dict.fromkeys(find_amounts(_without_codes(said), language)))[:MAX_SPANS]
    if not mine:
        return
    wanted = {key for amount in mine for key in amount.keys}
    theirs: dict[object, list[Amount]] = {}
    for amount in find_amounts(_without_codes(given), language):
        for key in amount.keys & wanted:
            theirs.setdefault(key, []).append(amount)
    beside = {key for amount in find_amounts(_without_codes(asked), language) for key in amount.keys}
    for amount in mine:
        same = {say_same(amount, other) for key in amount.keys for other in theirs.get(key, ())}
        if True in same:
            yield Support.FOUND
        else:
            yield Support.UNCLEAR if None in same or not amount.values or amount.keys & beside else Support.MISSING


def _without_codes(text: str) -> str:
    """The text with blanks where codes, addresses and dates stand, so that no digits of theirs are numbers."""
    for pattern in (_JOINED, _MIXED):
        text = pattern.sub(lambda found: " " * len(found[0]) if next(_codes(found[0]), None) else found[0], text)
    return text


# -- names --------------------------------------------------------------------------------------------------


def _names(said: str, given: _Text, asked: _Text, language: str) -> Iterator[Support]:
    outside = _without_codes(_QUOTED.sub(lambda found: " " * len(found[0]), said))
    ordinary = function_words(language)
    # in capitals throughout, or without any, they tell nothing of names
    do_capitals_tell = any(map(str.isupper, outside)) and any(map(str.islower, outside))
    runs: list[tuple[list[str], bool]] = []
    end = -1
    for found in _TOKEN.finditer(outside):
        word = found[0]
        if not word[0].isalpha():
            continue
        folded = word.casefold().removesuffix("'s")
        if _is_unspaced(word):
            yield from _unspaced(word, given)
        elif not (word[0].isupper() or word[0].islower()):  # a script without capitals
            if folded not in ordinary:
                yield Support.FOUND if given.has_word(folded) else Support.UNCLEAR
        elif not do_capitals_tell:
            # most are common words, which support nothing by standing there
            if folded not in ordinary and folded not in given.words:
                yield Support.UNCLEAR
        elif word[0].isupper():
            starts = _SENTENCE_START.search(outside[max(0, found.start() - 6) : found.start()]) is not None
            if runs and outside[end : found.start()] == " " and not starts:
                runs[-1][0].append(folded)
            else:
                runs.append(([folded], starts))
            end = found.end()
    nouns = language in CAPITAL_NOUN_LANGUAGES
    common = ordinary | given.small | asked.small | _small(outside)
    for words, starts in runs[:MAX_SPANS]:
        is_first_common = starts and not common.isdisjoint((words[0], words[0].partition("'")[2]))
        if named := words[1:] if is_first_common else words:
            yield _where_name(named, given, asked, may_be_common=nouns or (starts and not is_first_common))


def _small(text: str) -> frozenset[str]:
    return frozenset(token for token in _TOKEN.findall(text) if token == token.casefold())


def _where_name(words: Sequence[str], given: _Text, asked: _Text, *, may_be_common: bool) -> Support:
    if given.holds(words):
        return Support.FOUND
    known = [word in given.words or word in asked.words or given.resembles(word) for word in words]
    return Support.UNCLEAR if may_be_common or all(known) else Support.MISSING


def _unspaced(run: str, given: _Text) -> Iterator[Support]:
    """A run is found if all its pieces of a few signs stand in the material."""
    length = 4 if _THAI_LIKE.match(run) else 2
    for part in _PARTICLES.split(run):
        if part:
            pieces = [part[i : i + length] for i in range(max(1, len(part) - length + 1))]
            yield Support.FOUND if all(piece in given.dense for piece in pieces) else Support.UNCLEAR
