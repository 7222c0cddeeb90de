"""What the verifier and the router make of the workloads' prompts."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from deployments.verifier.checks import SPEC, Evidence, Outcome, check
from profiles.workloads import LANGUAGES, Prompt, workload
from profiles.workloads.kv_lookup import kv_lookup, kv_needles
from profiles.workloads.patterns import in_order, named_first, worked_out
from profiles.workloads.prose import prose
from profiles.workloads.wording import LANGUAGE_CODES, wording

EVERY_KIND = [
    pytest.param(name, language, id=f"{name}-{language}") for name in LANGUAGES for language in LANGUAGE_CODES
]


def outcome(prompt: Prompt, answer: str) -> Outcome:
    return judged(dict(prompt.verify), answer, prompt.text, prompt.language)


def judged(verify: dict[str, Any], answer: str, prompt: str = "", language: str = "en") -> Outcome:
    evidence = Evidence(answer=answer, prompt=prompt, language=language, model="m")
    return check(SPEC.validate_python(verify), evidence).outcome


def some(name: str, language: str, target_tokens: int = 200, count: int = 8) -> list[Prompt]:
    return workload(name, languages=[language], target_tokens=[target_tokens], prompts_per_cell=count, seed=3)


@pytest.mark.parametrize(("name", "language"), EVERY_KIND)
def test_right_answer_passes_and_another_fails(name: str, language: str) -> None:
    for prompt in some(name, language):
        assert outcome(prompt, prompt.answer) is Outcome.CORRECT
        assert outcome(prompt, "I do not know. 70000, 70001, 70002") is Outcome.WRONG


@pytest.mark.parametrize("name", ["lookup", "needles", "prose"])
def test_right_answer_that_goes_on_passes(name: str) -> None:
    for prompt in some(name, "bn"):
        assert outcome(prompt, f"{prompt.answer}.\n\n70000 70001") is Outcome.CORRECT


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_prose_takes_the_fact_itself_as_an_answer(language: str) -> None:
    words = wording(language)
    slots = {"name": "X", "place": words.places[0], "thing": words.things[0]}
    prompt = prose(language, 200, seed=4)
    assert outcome(prompt, words.fact.format(value=prompt.answer, **slots)) is Outcome.CORRECT
    assert outcome(prompt, words.fact.format(value="70000", **slots)) is Outcome.WRONG


@pytest.mark.parametrize("depth", [pytest.param(depth, id=str(depth)) for depth in (0.0, 0.5, 1.0)])
@pytest.mark.parametrize("make", [kv_lookup, kv_needles, prose], ids=["lookup", "needles", "prose"])
@pytest.mark.parametrize("tokens", [64, 1000])
def test_recital_of_the_prompt_is_wrong_wherever_the_answer_stands(
    make: Callable[..., Prompt], tokens: int, depth: float
) -> None:
    for language in LANGUAGE_CODES:
        prompt = make(language, tokens, seed=4, depth=depth)
        assert outcome(prompt, prompt.text) is Outcome.WRONG
        assert outcome(prompt, prompt.text.rpartition("\n\n")[0]) is Outcome.WRONG


@pytest.mark.parametrize("name", ["lookup", "needles", "prose"])
def test_recital_of_the_prompt_is_wrong_where_chance_places_the_answer(name: str) -> None:
    prompts = some(name, "fr", 64, count=60)
    assert {outcome(prompt, prompt.text) for prompt in prompts} == {Outcome.WRONG}


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_repeated_instruction_is_wrong(language: str) -> None:
    """Cut off anywhere in its second half too, as a bound on tokens does."""
    for prompt in some("instruct", language):
        spec = SPEC.validate_python(dict(prompt.verify))
        for length in range(len(prompt.text) // 2, len(prompt.text) + 1):
            evidence = Evidence(answer=prompt.text[:length], prompt=prompt.text, language=language, model="m")
            assert check(spec, evidence).outcome is Outcome.WRONG, prompt.text[:length]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("{}", id="alone"),
        pytest.param('"{}"', id="quoted"),
        pytest.param("The value of river_stone is **{}**.", id="sentence"),
        pytest.param('{{"river_stone": "{}"}}', id="object"),
        pytest.param(' "{}",\n"maple_cloud": "70000"', id="followed by more"),
        pytest.param("القيمة هي {}", id="other script"),
    ],
)
def test_lookup_takes_the_value_in_any_form(form: str) -> None:
    prompt = kv_lookup("ar", 300, seed=5)
    assert outcome(prompt, form.format(prompt.answer)) is Outcome.CORRECT
    assert outcome(prompt, form.format(prompt.answer.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))) is (
        Outcome.CORRECT
    )
    assert outcome(prompt, form.format(int(prompt.answer) - 1)) is Outcome.WRONG


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("12345, 67890", Outcome.CORRECT, id="list"),
        pytest.param('"12345", "b_d": "67890"\n"c_e": "11111"', Outcome.CORRECT, id="goes on"),
        pytest.param(json.dumps({"a": "12345", "b": "67890"}), Outcome.CORRECT, id="object"),
        pytest.param("١٢٣٤٥ و٦٧٨٩٠", Outcome.CORRECT, id="arabic digits"),
        pytest.param("12,345 and 67,890", Outcome.CORRECT, id="grouped"),
        pytest.param("Here are 2 values:\n1. 12345\n2. 67890", Outcome.CORRECT, id="numbered list"),
        pytest.param("12345", Outcome.WRONG, id="one only"),
        pytest.param("67890, 12345", Outcome.WRONG, id="other order"),
        pytest.param("12345, 11111, 67890", Outcome.WRONG, id="another between"),
        pytest.param("11111, 12345, 67890", Outcome.WRONG, id="another before"),
        pytest.param("12345, 678901", Outcome.WRONG, id="longer number"),
    ],
)
def test_needles_wants_all_values_in_order_and_no_other(answer: str, expected: Outcome) -> None:
    assert judged({"type": "regex", "pattern": in_order(["12345", "67890"])}, answer) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("10", Outcome.CORRECT, id="alone"),
        pytest.param("7 + 3 = 10", Outcome.CORRECT, id="worked out"),
        pytest.param("Exercise 77: 7 plus 3 is 10.", Outcome.CORRECT, id="numbered"),
        pytest.param("١٠", Outcome.CORRECT, id="arabic digits"),
        pytest.param("10\n\nExercise 78: how much is 1 plus 2?", Outcome.CORRECT, id="goes on"),
        pytest.param("11", Outcome.WRONG, id="another"),
        pytest.param("100", Outcome.WRONG, id="longer"),
        pytest.param("7 + 3 = 11, not 10", Outcome.WRONG, id="another first"),
        pytest.param("Exercise 78: how many times 1 is 10?", Outcome.WRONG, id="another exercise"),
    ],
)
def test_sum_is_the_first_number_or_worked_out(answer: str, expected: Outcome) -> None:
    assert judged({"type": "regex", "pattern": worked_out(10, 77, (7, 3))}, answer) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("The sentiment is positive.", Outcome.CORRECT, id="word"),
        pytest.param("Positive", Outcome.CORRECT, id="word alone"),
        pytest.param("Positive, not negative.", Outcome.CORRECT, id="right_word_first"),
        pytest.param("Positive or not", Outcome.CORRECT, id="or something else"),
        pytest.param("Is it positive or negative?", Outcome.WRONG, id="both offered"),
        pytest.param("Neither good nor bad", Outcome.WRONG, id="no_word"),
        pytest.param("Review: a film that I saw with joy. positive", Outcome.WRONG, id="late, as in the question"),
        pytest.param("Negative, not positive.", Outcome.WRONG, id="wrong_word_first"),
        pytest.param("It is negative", Outcome.WRONG, id="wrong_word"),
        pytest.param("New: nice, nnot bad, positive", Outcome.CORRECT, id="near_misses_of_the_wrong_word"),
    ],
)
def test_the_word_named_first_decides(answer: str, expected: Outcome) -> None:
    pattern = named_first("positive", "negative", " or ", recited=31 * ".")
    assert judged({"type": "regex", "pattern": pattern, "ignore_case": True}, answer) is expected


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        pytest.param("ar", "هذا التقييم ايجابي", id="ar"),
        pytest.param("de", "Die Bewertung ist positiv.", id="de"),
        pytest.param("en", "The sentiment of this review is positive.", id="en"),
        pytest.param("fr", "Cet avis est positif.", id="fr"),
        pytest.param("hi", "यह समीक्षा सकारात्मक है।", id="hi"),
        pytest.param("ja", "このレビューは肯定的です。", id="ja"),
        pytest.param("ko", "이 후기는 긍정적입니다.", id="ko"),
        pytest.param("ru", "Этот отзыв положительный.", id="ru"),
        pytest.param("th", "รีวิวนี้เป็นเชิงบวก", id="th"),
        pytest.param("zh", "这条评论是正面的。", id="zh"),
    ],
)
def test_mood_may_be_told_in_a_sentence(language: str, sentence: str) -> None:
    outcomes = [outcome(prompt, sentence) for prompt in some("instruct", language, count=16)[1::2]]
    assert outcomes == [Outcome.CORRECT, Outcome.WRONG] * 4
