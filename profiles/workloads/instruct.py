"""Short instructions with one right answer: what an instruction-tuned model can do that a base model cannot."""

import re

from profiles.workloads.prompt import Prompt, generator
from profiles.workloads.wording import Wording, wording

TASK = "instruct"


def instruct(language: str, target_tokens: int, *, seed: int) -> Prompt:
    """A small sum, and by turns the mood of a review; always short, and numbered by the seed.

    `target_tokens` is only recorded. Deterministic in its arguments; raises KeyError for a language without wording.
    """
    words = wording(language)
    text, answer, verify = _review(words, seed) if seed % 2 else _sum(words, language, seed)
    return Prompt(
        id=f"{TASK}-{language}-{target_tokens}-{seed}",
        language=language,
        task=TASK,
        target_tokens=target_tokens,
        text=text,
        answer=answer,
        verify=verify,
    )


def _sum(words: Wording, language: str, seed: int) -> tuple[str, str, dict[str, object]]:
    """The last number counts, since an answer may work the sum out before; no number of the question is right."""
    rng = generator(TASK, language, 0, seed)
    a, b = rng.randrange(1, 10), rng.randrange(1, 10)
    text = words.sum.format(number=words.numeral(seed), a=words.numeral(a), b=words.numeral(b))
    return text, words.numeral(a + b), {"type": "numeric", "value": a + b, "which": "last"}


def _review(words: Wording, seed: int) -> tuple[str, str, dict[str, object]]:
    turn = seed // 2
    mood = turn % 2
    reviews = words.complaints if mood else words.praise
    text = words.review.format(number=words.numeral(seed), text=reviews[turn // 2 % len(reviews)])
    # what stands between the two in the question is how a model that only repeats it goes on
    between = words.review.partition(words.stems[0])[2].partition(words.stems[1])[0]
    pattern = named_first(words.stems[mood], words.stems[1 - mood], between)
    return text, words.moods[mood], {"type": "regex", "pattern": pattern, "ignore_case": True}


def named_first(word: str, other: str, between: str) -> str:
    """An RE2 pattern: `word` is found, `other` does not stand before it, nor right behind with `between` before it.

    `other` is known by its first three characters.
    """
    start = other[:3]
    return rf"\A(?s:{_anything_but(start)})*?{re.escape(word)}(?s:\z|{_anything_but(between + start)})"


def _anything_but(literal: str) -> str:
    """A piece of text that leaves the literal at some character: RE2 has no look-ahead."""
    steps = [rf"{re.escape(literal[:i])}(?:[^{re.escape(literal[i])}]|\z)" for i in range(len(literal))]
    return "|".join([f"[^{re.escape(literal[0])}]", *steps[1:]])
