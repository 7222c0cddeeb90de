"""Lookup in running prose: one fact among others of its kind, and among sentences about nothing in particular."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from profiles.workloads.kv_lookup import VALUES
from profiles.workloads.prompt import Prompt, check_bounds, generator, place_of
from profiles.workloads.wording import Wording, wording

TASK = "prose"

SENTENCES_PER_PARAGRAPH = 8
MIN_FACTS = 2
# From here on two of the facts differ from the one asked for in a single word.
MIN_FACTS_WITH_NEAR_ONES = 4


class Fact(NamedTuple):
    """Who, from where, and the number of which thing: indices into the words of a language."""

    first: int
    last: int
    place: int
    thing: int


def prose(language: str, target_tokens: int, *, seed: int, depth: float | None = None) -> Prompt:
    """A prompt of about `target_tokens` tokens; its fact is at `depth` of all facts (0 second, 1 last, None anywhere).

    The first number of the answer counts: reciting the text starts with another fact's. Half of the sentences
    are facts. The shortest prompt has two, which in Greek take about 100 tokens.
    Deterministic in its arguments; raises KeyError for a language without wording.
    """
    check_bounds(target_tokens=target_tokens, depth=depth)
    rng, words = generator(TASK, language, target_tokens, seed), wording(language)
    num_facts, num_fillers = _counts(target_tokens, words)
    index = rng.randrange(1, num_facts) if depth is None else place_of(depth, num_facts)
    facts = _facts(rng, words, num_facts, index)
    values = rng.sample(VALUES, num_facts)
    told = [words.fact.format(value=words.numeral(v), **_slots(words, f)) for f, v in zip(facts, values, strict=True)]
    text = _paragraphs(list(_evenly(told, [_filler(rng, words) for _ in range(num_fillers)])), words.joiner)
    return Prompt(
        id=f"{TASK}-{language}-{target_tokens}-{seed}",
        language=language,
        task=TASK,
        target_tokens=target_tokens,
        text=f"{text}\n\n{words.question.format(**_slots(words, facts[index]))}\n{words.lead}",
        answer=words.numeral(values[index]),
        verify={"type": "numeric", "value": values[index], "which": "first"},
        max_tokens=48,
    )


def _counts(target_tokens: int, words: Wording) -> tuple[int, int]:
    """How many facts and fillers fill the length, alike many where it allows."""
    tokens = words.tokens
    room = target_tokens - tokens.question
    num_facts = max(MIN_FACTS, round(room / (tokens.fact + tokens.filler)))
    return num_facts, max(0, round((room - num_facts * tokens.fact) / tokens.filler))


def _facts(rng: random.Random, words: Wording, count: int, index: int) -> list[Fact]:
    """Distinct facts; two others come near the one at `index`, by another thing and by another first name."""
    sizes = Fact(*map(len, (words.first_names, words.last_names, words.places, words.things)))
    total = sizes.first * sizes.last * sizes.place * sizes.thing
    facts = [_fact(number, sizes) for number in rng.sample(range(total), count)]
    if count < MIN_FACTS_WITH_NEAR_ONES:
        return facts
    asked = facts[index]
    near = (
        asked._replace(thing=(asked.thing + 1) % sizes.thing),
        asked._replace(first=(asked.first + 1) % sizes.first),
    )
    others = rng.sample([place for place in range(count) if place != index], len(near))
    for place, fact in zip(others, near, strict=True):
        if fact not in facts:
            facts[place] = fact
    return facts


def _fact(number: int, sizes: Fact) -> Fact:
    number, thing = divmod(number, sizes.thing)
    number, place = divmod(number, sizes.place)
    return Fact(*divmod(number, sizes.last), place, thing)


def _slots(words: Wording, fact: Fact) -> dict[str, str]:
    name = words.name.format(first=words.first_names[fact.first], last=words.last_names[fact.last])
    return {"name": name, "place": words.places[fact.place], "thing": words.things[fact.thing]}


def _filler(rng: random.Random, words: Wording) -> str:
    event = rng.choice(words.events).format(place=rng.choice(words.places))
    return words.filler.format(when=rng.choice(words.times), event=event)


def _evenly(facts: Sequence[str], fillers: Sequence[str]) -> Iterator[str]:
    """Facts in their order, with the fillers spread between and behind them."""
    for index, fact in enumerate(facts):
        yield fact
        yield from fillers[index * len(fillers) // len(facts) : (index + 1) * len(fillers) // len(facts)]


def _paragraphs(sentences: Sequence[str], joiner: str) -> str:
    starts = range(0, len(sentences), SENTENCES_PER_PARAGRAPH)
    return "\n".join(joiner.join(sentences[start : start + SENTENCES_PER_PARAGRAPH]) for start in starts)
