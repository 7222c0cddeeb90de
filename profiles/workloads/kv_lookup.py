"""Key-value lookup in the manner of SCBench: find the values of one key or of several in a JSON object."""

import json
import random
from collections.abc import Sequence

from profiles.workloads.patterns import in_order
from profiles.workloads.prompt import Prompt, check_bounds, generator, place_of
from profiles.workloads.wording import wording

LOOKUP = "lookup"
NEEDLES = "needles"

WORDS = tuple(
    """
    river stone cloud ember maple harbor lantern falcon meadow copper violet summit anchor pepper saddle tunnel
    basket candle donkey engine feather garden hammer island jacket kettle ladder magnet needle orchid pillow quartz
    rabbit silver ticket urchin velvet walnut yellow zipper arrow bridge camel desert eagle forest glacier hazel
    ivory jungle kitten lemon marble nectar oyster parrot quiver ribbon salmon turtle umbrella valley whistle acorn
    beacon cactus dolphin easel fabric guitar helmet indigo jasmine kernel lizard mirror noodle olive pencil quilt
    raven shovel tulip unicorn vessel window barrel cherry drum elbow fountain goose honey iguana jewel karma
    lotus mango nickel otter peach queen rocket sponge tiger utensil vanilla wagon yogurt zebra almond bottle
    carpet diamond envelope flute grape hotel igloo
    """.split()
)
# Counted by Gemma 3's tokenizer: one entry `"river_stone": "48213",`, and one key more in a question.
TOKENS_PER_ENTRY = 13.5
TOKENS_PER_KEY = 6.5
# A prompt shorter than this has no room for three keys and their answers.
MIN_TOKENS_FOR_THREE = 128
# Of five digits, more than any number that an answer brings along has.
VALUES = range(10_000, 100_000)


def kv_lookup(language: str, target_tokens: int, *, seed: int, depth: float | None = None) -> Prompt:
    """A prompt of about `target_tokens` tokens; what it asks for stands at `depth` (0 second, 1 last, None anywhere).

    The first number of the answer counts: reciting the object starts with another value.
    Deterministic in its arguments; raises KeyError for a language without wording.
    """
    check_bounds(target_tokens=target_tokens, depth=depth)
    rng, words = generator(LOOKUP, language, target_tokens, seed), wording(language)
    entries = _entries(rng, max(2, _fit(target_tokens - words.tokens.lookup)))
    index = rng.randrange(1, len(entries)) if depth is None else place_of(depth, len(entries))
    key, value = entries[index]
    return Prompt(
        id=f"{LOOKUP}-{language}-{target_tokens}-{seed}",
        language=language,
        task=LOOKUP,
        target_tokens=target_tokens,
        text=_text(entries, words.lookup.format(key=f'"{key}"'), key),
        answer=value,
        verify={"type": "numeric", "value": int(value), "which": "first"},
    )


def kv_needles(language: str, target_tokens: int, *, seed: int, depth: float | None = None) -> Prompt:
    """As `kv_lookup`, for three keys at once (two below 128 tokens); with `depth` they stand side by side.

    The answer must give all values in the order asked, which is not that of the object, and no other
    value before or between them. The shortest prompt has about 90 tokens.
    """
    check_bounds(target_tokens=target_tokens, depth=depth)
    rng, words = generator(NEEDLES, language, target_tokens, seed), wording(language)
    asked = 3 if target_tokens >= MIN_TOKENS_FOR_THREE else 2
    around = words.tokens.needles + (asked - 2) * TOKENS_PER_KEY
    entries = _entries(rng, max(asked + 1, _fit(target_tokens - around)))
    found = [entries[index] for index in _places(rng, len(entries), asked, depth)]
    keys, values = zip(*found, strict=True)
    question = words.needles.format(keys=words.listed([f'"{key}"' for key in keys]))
    return Prompt(
        id=f"{NEEDLES}-{language}-{target_tokens}-{seed}",
        language=language,
        task=NEEDLES,
        target_tokens=target_tokens,
        text=_text(entries, question, keys[0]),
        answer=", ".join(values),
        verify={"type": "regex", "pattern": in_order(values)},
        max_tokens=64,
    )


def _fit(tokens: float) -> int:
    return round(tokens / TOKENS_PER_ENTRY)


def _places(rng: random.Random, count: int, asked: int, depth: float | None) -> list[int]:
    """Not in rising order, so that an answer that walks through the object is told from one that was asked."""
    if depth is None:
        places = sorted(rng.sample(range(1, count), asked))
    else:
        start = place_of(depth, count, width=asked)
        places = list(range(start, start + asked))
    turn = rng.randrange(1, asked)
    return places[turn:] + places[:turn]


def _entries(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Distinct keys with distinct values; a key shares its words with others, as real ones do.

    The underscore makes a key a name rather than words of a language, to readers and to language detection.
    """
    others = len(WORDS) - 1
    pairs = (divmod(index, others) for index in rng.sample(range(len(WORDS) * others), count))
    keys = [f"{WORDS[a]}_{WORDS[b if b < a else b + 1]}" for a, b in pairs]
    return list(zip(keys, map(str, rng.sample(VALUES, count)), strict=True))


def _text(entries: Sequence[tuple[str, str]], question: str, first_key: str) -> str:
    """The key leads in its value: a model that was never taught to answer questions goes on with it."""
    return f'{json.dumps(dict(entries), indent=0)}\n\n{question}\n"{first_key}":'
