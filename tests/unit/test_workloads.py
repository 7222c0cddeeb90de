import json
import random

import pytest

from deployments.verifier.checks import Evidence, Outcome, check
from deployments.verifier.spec import SPEC
from profiles.workloads import LANGUAGES, Prompt, workload
from profiles.workloads.instruct import REVIEWS, instruct, named_first
from profiles.workloads.kv_lookup import QUESTIONS, WORDS, kv_lookup

# Letters that only a text in the language's own script has.
SCRIPTS = {
    "zh": ("\u4e00", "\u9fff"),
    "ja": ("\u3040", "\u30ff"),
    "ar": ("\u0600", "\u06ff"),
    "hi": ("\u0900", "\u097f"),
}


def entries(prompt: Prompt) -> dict[str, str]:
    found: dict[str, str] = json.loads(prompt.text[: prompt.text.index("}") + 1])
    return found


def outcome(prompt: Prompt, answer: str) -> Outcome:
    spec = SPEC.validate_python(dict(prompt.verify))
    evidence = Evidence(answer=answer, prompt=prompt.text, language=prompt.language, model="m")
    return check(spec, evidence).outcome


def all_kinds() -> list[Prompt]:
    return [
        prompt
        for name, languages in LANGUAGES.items()
        for prompt in workload(name, languages=languages, target_tokens=[100], prompts_per_cell=4, seed=3)
    ]


def test_equal_arguments_give_equal_prompts() -> None:
    assert all_kinds() == all_kinds()


def test_other_seed_gives_other_lookups() -> None:
    first, second = (
        {p.text for p in workload("lookup", languages=["en"], target_tokens=[100], prompts_per_cell=50, seed=seed)}
        for seed in (1, 2)
    )
    assert len(first) == len(second) == 50
    assert first.isdisjoint(second)


def test_global_chance_is_neither_used_nor_moved() -> None:
    random.seed(1)
    before = random.getstate()
    prompts = all_kinds()
    assert random.getstate() == before
    random.seed(2)
    assert all_kinds() == prompts


def test_right_answer_passes_and_another_fails_in_every_language() -> None:
    outcomes = {(p.id, outcome(p, p.answer), outcome(p, "I do not know. 7")) for p in all_kinds() if p.answer != "7"}
    assert {(right, wrong) for _, right, wrong in outcomes} == {(Outcome.CORRECT, Outcome.WRONG)}
    assert len(outcomes) >= 60


def test_prompt_ids_are_unique() -> None:
    ids = [p.id for p in all_kinds()]
    assert len(ids) == len(set(ids)) == 64


def test_workload_keeps_the_order_language_length_seed() -> None:
    prompts = workload("lookup", languages=["zh", "en"], target_tokens=[300, 90], prompts_per_cell=2, seed=7)
    assert [p.id for p in prompts] == [
        "lookup-zh-300-7000",
        "lookup-zh-300-7001",
        "lookup-zh-90-7000",
        "lookup-zh-90-7001",
        "lookup-en-300-7000",
        "lookup-en-300-7001",
        "lookup-en-90-7000",
        "lookup-en-90-7001",
    ]


def test_instructs_come_in_one_length_only() -> None:
    prompts = workload("instruct", languages=["en"], target_tokens=[100, 300, 620], prompts_per_cell=3, seed=0)
    assert [p.target_tokens for p in prompts] == [40, 40, 40]


def test_unknown_workload_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown workload 'lokup'; known: \['instruct', 'lookup'\]"):
        workload("lokup", languages=["en"], target_tokens=[100], prompts_per_cell=1, seed=0)


def test_language_without_wording_is_named() -> None:
    with pytest.raises(ValueError, match=r"workload 'lookup' has no wording in \['eo', 'tlh'\]; it has \['ar', 'de'"):
        workload("lookup", languages=["tlh", "en", "eo"], target_tokens=[100], prompts_per_cell=1, seed=0)


def test_cell_larger_than_a_seed_owns_is_refused() -> None:
    with pytest.raises(ValueError, match="prompts_per_cell is 1001; at most 1000"):
        workload("lookup", languages=["en"], target_tokens=[100], prompts_per_cell=1001, seed=0)


@pytest.mark.parametrize("language", [pytest.param(language, id=language) for language in QUESTIONS])
def test_lookup_asks_for_a_key_whose_value_is_the_answer(language: str) -> None:
    prompt = kv_lookup(language, 300, seed=5)
    asked = prompt.text.rsplit("\n", 1)[1].removesuffix(":").strip('"')
    assert entries(prompt)[asked] == prompt.answer
    assert prompt.verify == {"type": "contains", "value": prompt.answer}
    assert f'"{asked}"' in prompt.text.rsplit("\n", 2)[1]


@pytest.mark.parametrize("language", [pytest.param(language, id=language) for language in SCRIPTS])
def test_wording_is_in_the_language_s_own_script(language: str) -> None:
    first, last = SCRIPTS[language]
    for text in (kv_lookup(language, 90, seed=0).text, instruct(language, 40, seed=0).text):
        assert any(first <= letter <= last for letter in text)


@pytest.mark.parametrize(
    ("depth", "index"),
    [
        pytest.param(0.0, 0, id="first"),
        pytest.param(0.5, 12, id="middle"),
        pytest.param(1.0, 23, id="last"),
    ],
)
def test_answer_stands_at_the_depth(depth: float, index: int) -> None:
    prompt = kv_lookup("en", 300, seed=1, depth=depth)
    assert list(entries(prompt).values()).index(prompt.answer) == index


@pytest.mark.parametrize("depth", [pytest.param(-0.1, id="below"), pytest.param(1.1, id="above")])
def test_depth_outside_the_object_is_refused(depth: float) -> None:
    with pytest.raises(ValueError, match=rf"depth is {depth}; it must lie between 0"):
        kv_lookup("en", 300, seed=1, depth=depth)


@pytest.mark.parametrize(
    ("target_tokens", "count"),
    [
        pytest.param(30, 2, id="never_fewer_than_two"),
        pytest.param(90, 5, id="90"),
        pytest.param(620, 51, id="620"),
        pytest.param(131072, 11395, id="128k_needs_keys_of_two_words"),
    ],
)
def test_number_of_distinct_entries_follows_the_length(target_tokens: int, count: int) -> None:
    assert len(entries(kv_lookup("en", target_tokens, seed=2))) == count


def test_more_keys_than_can_be_made_are_refused() -> None:
    with pytest.raises(ValueError, match=r"86954 keys are too many; at most \d+ can be made"):
        kv_lookup("en", 1_000_000, seed=2)


def test_key_words_are_distinct() -> None:
    assert len(WORDS) == len(set(WORDS))


def test_sum_is_right() -> None:
    for seed in range(0, 40, 2):
        prompt = instruct("de", 40, seed=seed)
        a, b = prompt.text.removeprefix("Was ist ").removesuffix("?").split(" + ")
        assert int(a) + int(b) == prompt.verify["value"] == int(prompt.answer)


@pytest.mark.parametrize("language", [pytest.param(language, id=language) for language in REVIEWS])
def test_both_moods_are_asked_alike_often(language: str) -> None:
    question, reviews = REVIEWS[language]
    prompts = [instruct(language, 40, seed=seed) for seed in range(1, 2 * len(reviews), 2)]
    assert {p.text for p in prompts} == {question.format(text=text) for text, _ in reviews}
    answers = [p.answer for p in prompts]
    assert {answers.count(word) for word in set(answers)} == {len(reviews) // 2}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("The sentiment is positive.", Outcome.CORRECT, id="word"),
        pytest.param("Positive, not negative.", Outcome.CORRECT, id="right_word_first"),
        pytest.param("Neither good nor bad", Outcome.WRONG, id="no_word"),
        pytest.param("Negative, not positive.", Outcome.WRONG, id="wrong_word_first"),
        pytest.param("It is negative", Outcome.WRONG, id="wrong_word"),
        pytest.param("New: nice, nnot bad, positive", Outcome.CORRECT, id="near_misses_of_the_wrong_word"),
    ],
)
def test_the_word_named_first_decides(answer: str, expected: Outcome) -> None:
    spec = SPEC.validate_python({"type": "regex", "pattern": named_first("positive", "negative"), "ignore_case": True})
    assert check(spec, Evidence(answer=answer, prompt="", language="en", model="m")).outcome is expected
