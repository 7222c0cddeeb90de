"""Short instructions with one right answer: what an instruction-tuned model can do that a base model cannot."""

import random

from profiles.workloads.prompt import Prompt

TASK = "instruct"

SUMS = {
    "en": "What is {a} + {b}?",
    "de": "Was ist {a} + {b}?",
    "es": "¿Cuánto es {a} + {b}?",
    "fr": "Combien font {a} + {b} ?",
    "zh": "{a} + {b} 等于多少？",
    "ja": "{a} + {b} はいくつですか？",
    "ar": "كم يساوي {a} + {b}؟",
    "hi": "{a} + {b} कितना होता है?",
}
# Question, then reviews with the word that names their mood.
REVIEWS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "en": (
        "Is the sentiment of this review positive or negative? Review: {text}",
        (
            ("I loved this film, it was wonderful!", "positive"),
            ("This was a terrible waste of money.", "negative"),
            ("The best holiday we ever had.", "positive"),
            ("The room was dirty and the noise was awful.", "negative"),
            ("A great book, I could not put it down.", "positive"),
            ("It broke after two days, very disappointing.", "negative"),
            ("Friendly staff and a delicious dinner.", "positive"),
            ("I hated every minute of it.", "negative"),
        ),
    ),
    "de": (
        "Ist diese Bewertung positiv oder negativ? Bewertung: {text}",
        (
            ("Ich habe diesen Film geliebt, er war wunderbar!", "positiv"),
            ("Das war eine schreckliche Geldverschwendung.", "negativ"),
            ("Der beste Urlaub, den wir je hatten.", "positiv"),
            ("Das Zimmer war schmutzig und der Lärm furchtbar.", "negativ"),
            ("Ein großartiges Buch, ich konnte nicht aufhören.", "positiv"),
            ("Nach zwei Tagen kaputt, sehr enttäuschend.", "negativ"),
        ),
    ),
    "zh": (
        "这条评论是正面的还是负面的？评论：{text}",
        (
            ("我太喜欢这部电影了，非常精彩！", "正面"),
            ("完全是浪费钱，太糟糕了。", "负面"),
            ("这是我们最棒的一次旅行。", "正面"),
            ("房间很脏，噪音也很大。", "负面"),
            ("这本书很好看，我停不下来。", "正面"),
            ("用了两天就坏了，非常失望。", "负面"),
        ),
    ),
}


def instruct(language: str, target_tokens: int, *, seed: int) -> Prompt:
    """A small sum, or where the language has reviews by turns the mood of one; always short.

    `target_tokens` is only recorded. Deterministic in its arguments; raises KeyError for a language without wording.
    """
    rng = random.Random(f"{TASK}|{language}|{seed}")  # noqa: S311 (a workload, not a secret)
    if language in REVIEWS and seed % 2:
        question, reviews = REVIEWS[language]
        text, answer = reviews[(seed // 2) % len(reviews)]
        other = next(word for _, word in reviews if word != answer)
        verify = {"type": "regex", "pattern": named_first(answer, other), "ignore_case": True}
        return _prompt(language, target_tokens, seed, question.format(text=text), answer, verify)
    a, b = rng.randrange(1, 10), rng.randrange(1, 10)
    verify = {"type": "numeric", "value": a + b, "which": "last"}
    return _prompt(language, target_tokens, seed, SUMS[language].format(a=a, b=b), str(a + b), verify)


def named_first(word: str, other: str) -> str:
    """An RE2 pattern: `word` is found and `other` does not stand before it (known by its first three characters)."""
    start = other[:3]
    steps = [f"[^{start[0]}]", *(f"{start[:i]}[^{start[i]}]" for i in range(1, len(start)))]
    return rf"\A(?s:{'|'.join(steps)})*?{word}"


def _prompt(language: str, target_tokens: int, seed: int, text: str, answer: str, verify: dict[str, object]) -> Prompt:
    return Prompt(
        id=f"{TASK}-{language}-{target_tokens}-{seed}",
        language=language,
        task=TASK,
        target_tokens=target_tokens,
        text=text,
        answer=answer,
        verify=verify,
    )
