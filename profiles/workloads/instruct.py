"""Short instructions with one right answer: what an instruction-tuned model can do that a base model cannot."""

from profiles.workloads.patterns import named_first, worked_out
from profiles.workloads.prompt import Prompt, generator
from profiles.workloads.wording import Wording, wording

TASK = "instruct"
# in the ids, as answers to the first edition, whose reviews were few, must not pass for answers to this one
EDITION = 2
MOST_TERM = 19


def instruct(language: str, target_tokens: int, *, seed: int) -> Prompt:
    """A small sum, and by turns the mood of a review; always short, and numbered by the seed.

    `target_tokens` is only recorded. Deterministic in its arguments; raises KeyError for a language without wording.
    """
    words = wording(language)
    text, answer, verify = _review(words, language, seed) if seed % 2 else _sum(words, language, seed)
    return Prompt(
        id=f"{TASK}{EDITION}-{language}-{target_tokens}-{seed}",
        language=language,
        task=TASK,
        target_tokens=target_tokens,
        text=text,
        answer=answer,
        verify=verify,
    )


def _sum(words: Wording, language: str, seed: int) -> tuple[str, str, dict[str, object]]:
    """An answer may work the sum out before it; what a model makes up behind it does not count."""
    rng = generator(TASK, language, 0, seed)
    a, b = rng.randint(1, MOST_TERM), rng.randint(1, MOST_TERM)
    text = words.sum.format(number=words.numeral(seed), a=words.numeral(a), b=words.numeral(b))
    return text, words.numeral(a + b), {"type": "regex", "pattern": worked_out(a + b, seed, (a, b))}


def _review(words: Wording, language: str, seed: int) -> tuple[str, str, dict[str, object]]:
    """Two sentences of one mood, moods by turns."""
    mood = seed // 2 % 2
    sentences = generator(TASK, language, 0, seed).sample(words.complaints if mood else words.praise, 2)
    told = words.joiner.join(sentences)
    text = words.review.format(number=words.numeral(seed), text=told)
    # a model that only repeats the prompt names a mood as late as this, and goes on with what is between the two
    asked, _, rest = words.review.partition("{text}")[2].partition(words.stems[0])
    between = rest.partition(words.stems[1])[0]
    pattern = named_first(words.stems[mood], words.stems[1 - mood], between, recited=told + asked)
    return text, words.moods[mood], {"type": "regex", "pattern": pattern, "ignore_case": True}
