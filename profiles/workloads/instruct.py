"""Short instructions with one right answer: what an instruction-tuned model can do that a base model cannot."""

from profiles.workloads.patterns import named_first, worked_out
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
    """An answer may work the sum out before it; what a model makes up behind it does not count."""
    rng = generator(TASK, language, 0, seed)
    a, b = rng.randrange(1, 10), rng.randrange(1, 10)
    text = words.sum.format(number=words.numeral(seed), a=words.numeral(a), b=words.numeral(b))
    return text, words.numeral(a + b), {"type": "regex", "pattern": worked_out(a + b, seed, (a, b))}


def _review(words: Wording, seed: int) -> tuple[str, str, dict[str, object]]:
    turn = seed // 2
    mood = turn % 2
    reviews = words.complaints if mood else words.praise
    told = reviews[turn // 2 % len(reviews)]
    text = words.review.format(number=words.numeral(seed), text=told)
    # a model that only repeats the question names a mood as late as this, and goes on with what is between the two
    question = words.review.partition("{text}")[2]
    between = question.partition(words.stems[0])[2].partition(words.stems[1])[0]
    within_chars = len(told) + question.index(words.stems[0]) - 1
    pattern = named_first(words.stems[mood], words.stems[1 - mood], between, within_chars=within_chars)
    return text, words.moods[mood], {"type": "regex", "pattern": pattern, "ignore_case": True}
