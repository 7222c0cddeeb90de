import hashlib
import itertools
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiles.workloads import LANGUAGES, Prompt, workload
from profiles.workloads.instruct import instruct
from profiles.workloads.kv_lookup import WORDS, kv_lookup, kv_needles
from profiles.workloads.prose import prose
from profiles.workloads.wording import LANGUAGE_CODES, wording

ROOT = Path(__file__).parents[4]
# Letters that only a text in the language's own script has.
SCRIPTS = {
    "ar": ("\u0600", "\u06ff"),
    "bn": ("\u0980", "\u09ff"),
    "el": ("\u0370", "\u03ff"),
    "he": ("\u0590", "\u05ff"),
    "hi": ("\u0900", "\u097f"),
    "ja": ("\u3040", "\u30ff"),
    "ko": ("\uac00", "\ud7a3"),
    "ru": ("\u0400", "\u04ff"),
    "th": ("\u0e00", "\u0e7f"),
    "uk": ("\u0400", "\u04ff"),
    "zh": ("\u4e00", "\u9fff"),
}
EVERY_LANGUAGE = [pytest.param(language, id=language) for language in LANGUAGE_CODES]


def entries(prompt: Prompt) -> dict[str, str]:
    found: dict[str, str] = json.loads(prompt.text[: prompt.text.index("}") + 1])
    return found


def all_kinds(seed: int = 3) -> list[Prompt]:
    return [
        prompt
        for name, languages in LANGUAGES.items()
        for prompt in workload(name, languages=languages, target_tokens=[200], prompts_per_cell=4, seed=seed)
    ]


def digest(prompts: list[Prompt]) -> str:
    return hashlib.sha256(repr(prompts).encode()).hexdigest()


def test_equal_arguments_give_equal_prompts_in_every_process() -> None:
    program = "from tests.unit.profiles.workloads.test_workloads import *; print(digest(all_kinds()))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == digest(all_kinds())


def test_two_seeds_share_no_prompt() -> None:
    first, second = ({p.text for p in all_kinds(seed)} for seed in (1, 2))
    assert len(first) == len(second) == 256
    assert first.isdisjoint(second)


def test_prompts_of_a_cell_differ() -> None:
    for name in LANGUAGES:
        prompts = workload(name, languages=["zh"], target_tokens=[100], prompts_per_cell=1000, seed=1)
        assert len({p.text for p in prompts}) == 1000


def test_global_chance_is_neither_used_nor_moved() -> None:
    random.seed(1)
    before = random.getstate()
    prompts = all_kinds()
    assert random.getstate() == before
    random.seed(2)
    assert all_kinds() == prompts


def test_prompt_ids_are_unique() -> None:
    ids = [p.id for p in all_kinds()]
    assert len(ids) == len(set(ids)) == 256


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in ("lookup", "needles", "prose")])
def test_workload_keeps_the_order_language_length_seed(name: str) -> None:
    prompts = workload(name, languages=["zh", "en"], target_tokens=[300, 90], prompts_per_cell=2, seed=7)
    assert {p.task for p in prompts} == {name}
    assert [p.id.removeprefix(f"{name}-") for p in prompts] == [
        "zh-300-7000",
        "zh-300-7001",
        "zh-90-7000",
        "zh-90-7001",
        "en-300-7000",
        "en-300-7001",
        "en-90-7000",
        "en-90-7001",
    ]


def test_instructs_come_in_one_length_only() -> None:
    prompts = workload("instruct", languages=["en"], target_tokens=[100, 300, 620], prompts_per_cell=3, seed=0)
    assert [p.target_tokens for p in prompts] == [32, 32, 32]


def test_unknown_workload_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown workload 'lokup'; known: \['instruct', 'lookup',"):
        workload("lokup", languages=["en"], target_tokens=[100], prompts_per_cell=1, seed=0)


def test_language_without_wording_is_named() -> None:
    with pytest.raises(ValueError, match=r"workload 'prose' has no wording in \['eo', 'tlh'\]; it has \['ar', 'bn'"):
        workload("prose", languages=["tlh", "en", "eo"], target_tokens=[100], prompts_per_cell=1, seed=0)


@pytest.mark.parametrize("count", [pytest.param(0, id="none"), pytest.param(1001, id="next seed's")])
def test_cell_that_is_not_a_seed_s_share_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"prompts_per_cell is {count}; allowed: 1 to 1000"):
        workload("lookup", languages=["en"], target_tokens=[100], prompts_per_cell=count, seed=0)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed is -1; it must not be negative"):
        workload("lookup", languages=["en"], target_tokens=[100], prompts_per_cell=1, seed=-1)


@pytest.mark.parametrize("make", [kv_lookup, kv_needles, prose], ids=["lookup", "needles", "prose"])
@pytest.mark.parametrize("tokens", [pytest.param(0, id="none"), pytest.param(131_073, id="over 128K")])
def test_length_that_cannot_be_given_is_refused(make: Callable[..., Prompt], tokens: int) -> None:
    with pytest.raises(ValueError, match=f"target_tokens is {tokens}; allowed: 1 to 131072"):
        make("en", tokens, seed=1)


@pytest.mark.parametrize("make", [kv_lookup, kv_needles, prose], ids=["lookup", "needles", "prose"])
@pytest.mark.parametrize("depth", [pytest.param(-0.1, id="below"), pytest.param(1.1, id="above")])
def test_depth_outside_the_prompt_is_refused(make: Callable[..., Prompt], depth: float) -> None:
    with pytest.raises(ValueError, match=rf"depth is {depth}; it must lie between 0"):
        make("en", 300, seed=1, depth=depth)


@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_templates_name_each_placeholder_once(language: str) -> None:
    words = wording(language)
    wanted = {
        "lookup": {"key"},
        "needles": {"keys"},
        "fact": {"name", "place", "thing", "value"},
        "question": {"name", "place", "thing"},
        "name": {"first", "last"},
        "filler": {"when", "event"},
        "sum": {"number", "a", "b"},
        "review": {"number", "text"},
    }
    for template, slots in wanted.items():
        text = getattr(words, template)
        assert {slot: text.count(f"{{{slot}}}") for slot in slots} == dict.fromkeys(slots, 1), template
        assert text.count("{") == len(slots), template


@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_nothing_in_prose_has_a_number_but_facts(language: str) -> None:
    words = wording(language)
    texts = [*words.first_names, *words.last_names, *words.places, *words.things, *words.times, *words.events]
    assert [text for text in [words.fact, words.question, words.filler, *texts] if any(map(str.isdigit, text))] == []


def test_every_language_file_has_a_code_and_every_code_a_file() -> None:
    stems = sorted(path.stem for path in (ROOT / "profiles" / "workloads" / "languages").iterdir())
    assert stems == list(LANGUAGE_CODES)


@pytest.mark.parametrize("language", [pytest.param(language, id=language) for language in SCRIPTS])
def test_wording_is_in_the_language_s_own_script(language: str) -> None:
    first, last = SCRIPTS[language]
    for name in LANGUAGES:
        (prompt,) = workload(name, languages=[language], target_tokens=[90], prompts_per_cell=1, seed=0)
        assert any(first <= letter <= last for letter in prompt.text)


@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_lookup_asks_for_a_key_whose_value_is_the_answer(language: str) -> None:
    prompt = kv_lookup(language, 300, seed=5)
    asked = prompt.text.rsplit("\n", 1)[1].removesuffix(":").strip('"')
    assert entries(prompt)[asked] == prompt.answer
    assert f'"{asked}"' in prompt.text.rsplit("\n", 2)[1]


@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_needles_asks_for_keys_whose_values_are_the_answer(language: str) -> None:
    prompt = kv_needles(language, 300, seed=5)
    found = entries(prompt)
    asked = [piece for piece in prompt.text.rsplit("\n", 2)[1].split('"') if piece in found]
    assert ", ".join(found[key] for key in asked) == prompt.answer
    assert len(asked) == 3
    assert [key for key in found if key in asked] != asked


def subjects(language: str) -> dict[str, dict[str, str]]:
    """What each question about a fact asks for."""
    words = wording(language)
    names = [words.name.format(first=a, last=b) for a, b in itertools.product(words.first_names, words.last_names)]
    slots = [
        {"name": name, "place": place, "thing": thing}
        for name, place, thing in itertools.product(names, words.places, words.things)
    ]
    return {words.question.format(**slot): slot for slot in slots}


@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_prose_tells_just_once_what_it_asks(language: str) -> None:
    questions = subjects(language)
    assert len(questions) == 12 * 12 * 10 * 8
    prompt = prose(language, 8000, seed=5)
    slot = questions[prompt.text.splitlines()[-2]]
    told = re.escape(wording(language).fact.format(value="@", **slot)).replace("@", r"(\d+)")
    assert re.findall(told, prompt.text) == [prompt.answer]


def test_two_facts_of_prose_differ_from_the_one_asked_in_one_word() -> None:
    prompt = prose("en", 300, seed=5)
    slot = subjects("en")[prompt.text.splitlines()[-2]]
    by_thing = re.findall(f"{slot['name']} from {slot['place']} gave (?:.*?) number", prompt.text)
    by_first_name = re.findall(
        f"{slot['name'].split()[1]} from {slot['place']} gave {slot['thing']} number", prompt.text
    )
    assert (len(by_thing), len(by_first_name)) == (2, 2)


@pytest.mark.parametrize(
    ("depth", "index"),
    [pytest.param(0.0, 1, id="second"), pytest.param(0.5, 10, id="middle"), pytest.param(1.0, 19, id="last")],
)
def test_lookup_stands_at_the_depth(depth: float, index: int) -> None:
    prompt = kv_lookup("en", 300, seed=1, depth=depth)
    assert len(entries(prompt)) == 20
    assert list(entries(prompt).values()).index(prompt.answer) == index


@pytest.mark.parametrize(
    ("depth", "indices"),
    [
        pytest.param(0.0, [1, 2, 3], id="second"),
        pytest.param(0.5, [8, 9, 10], id="middle"),
        pytest.param(1.0, [15, 16, 17], id="last"),
    ],
)
def test_needles_stand_side_by_side_at_the_depth(depth: float, indices: list[int]) -> None:
    prompt = kv_needles("en", 300, seed=1, depth=depth)
    values = list(entries(prompt).values())
    assert len(values) == 18
    assert sorted(values.index(value) for value in prompt.answer.split(", ")) == indices


@pytest.mark.parametrize(
    ("depth", "index"),
    [pytest.param(0.0, 1, id="second"), pytest.param(0.5, 5, id="middle"), pytest.param(1.0, 9, id="last")],
)
def test_prose_stands_at_the_depth(depth: float, index: int) -> None:
    prompt = prose("en", 300, seed=1, depth=depth)
    values = re.findall(r"\d{5}", prompt.text)
    assert len(values) == 10
    assert values.index(prompt.answer) == index


@pytest.mark.parametrize(
    ("target_tokens", "count"),
    [
        pytest.param(30, 2, id="never_fewer_than_two"),
        pytest.param(90, 4, id="90"),
        pytest.param(620, 44, id="620"),
        pytest.param(131072, 9707, id="128k"),
    ],
)
def test_number_of_distinct_entries_follows_the_length(target_tokens: int, count: int) -> None:
    assert len(entries(kv_lookup("en", target_tokens, seed=2))) == count


def test_key_words_are_distinct() -> None:
    assert len(WORDS) == len(set(WORDS))


def test_sum_is_right() -> None:
    for seed in range(0, 40, 2):
        prompt = instruct("de", 32, seed=seed)
        a, b = prompt.text.partition("Wie viel ist ")[2].partition("?")[0].split(" plus ")
        assert int(a) + int(b) == int(prompt.answer)


def test_english_reviews_hardly_repeat() -> None:
    texts = {instruct("en", 32, seed=seed).text.partition(":")[2] for seed in range(3001, 3201, 2)}
    assert len(texts) >= 90


@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_both_moods_are_asked_alike_often(language: str) -> None:
    words = wording(language)
    prompts = [instruct(language, 32, seed=seed) for seed in range(1, 33, 2)]
    answers = [p.answer for p in prompts]
    assert {mood: answers.count(mood) for mood in words.moods} == dict.fromkeys(words.moods, 8)
    for prompt in prompts:
        reviews = words.praise if prompt.answer == words.moods[0] else words.complaints
        assert any(review in prompt.text for review in reviews)
