"""What a judge is asked to say, and whether it said that and nothing else."""

import re
from collections.abc import Sequence

from deployments.verifier.text.normalise import compose
from deployments.verifier.text.thinking import after_thinking

# The words for right, and those for wrong, of which the first is asked for. Another set is taken where a text to be
# judged has one of the first, so that a judge which only repeats the text has said nothing.
Words = tuple[str, tuple[str, ...]]
# The word of a judge that cannot tell: a judge that is held to two would have to guess.
UNSURE = "UNSURE"
WORDS: tuple[Words, ...] = (("CORRECT", ("WRONG", "INCORRECT")), ("ACCEPT", ("REJECT",)), ("PASS", ("FAIL",)))
# Signs that stand around a word without changing what it says; a pair counts only as a pair.
_PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "„": "“", "«": "»", "‘": "’", "「": "」", "【": "】"}
_PAIRS |= {sign: sign for sign in "\"'`*_"}
# Headings and quotations of Markdown. A dash before the word could be a minus, so it is no list.
_MARKUP = re.compile(r"(?:#{1,6}|>)[ \t]+")
_STOP = re.compile(r"(?<![.!。])[.!。]$")  # one: two or three trail off
_MOST_CHARS = 64


def choose_words(sets: Sequence[Words], *texts: str) -> Words | None:
    """The first words that no text has; None if all stand there, as in a text that tries to be its own judge.

    A single set is no choice.
    """
    if len(sets) == 1:
        return sets[0]
    found = {word.upper() for text in texts for word in re.findall(r"[A-Za-z]+", compose(text))}
    return next((words for words in sets if not found & {words[0], *words[1]}), None)


def read_judgement(text: str, words: Words = WORDS[0]) -> bool | None:
    """Whether a judge's reply is the word for right or for wrong; None for anything more, or less.

    Thinking before it is taken off; thinking that does not end leaves nothing. A full stop or an exclamation mark may
    follow the word, and pairs of quotes, brackets or emphasis may stand around it.
    """
    said = after_thinking(text)
    if said is None or len(said.strip()) > _MOST_CHARS:
        return None
    word = _bare(compose(said.strip())).upper()
    return True if word == words[0] else False if word in words[1] else None


def _bare(said: str) -> str:
    said = _MARKUP.sub("", said, count=1) if _MARKUP.match(said) else said
    while True:
        shorter = _STOP.sub("", said.strip())
        if len(shorter) > 1 and _PAIRS.get(shorter[0]) == shorter[-1]:
            shorter = shorter[1:-1]
        if shorter == said:
            return said
        said = shorter
