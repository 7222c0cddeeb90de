import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.text.choice import LETTERS, find_choice, find_options

# language, answer, and its letter; `null` where it settles on none, `B?` where not to see the letter is no mistake
ROWS = [json.loads(line) for line in Path(__file__).with_name("choices.jsonl").read_text("utf-8").splitlines()]
TOLD = [answer for _, answer, letter in ROWS if letter == "B"]


def is_allowed(found: str | None, letter: str | None) -> bool:
    return found == letter or (letter is not None and letter.endswith("?") and found in (None, letter[0]))


def test_the_option_is_the_one_that_the_answer_concludes_on() -> None:
    assert [row for row in ROWS if not is_allowed(find_choice(row[1]), row[2])] == []


def test_of_letters_that_need_not_be_seen_nine_in_ten_are() -> None:
    letters = [find_choice(answer) for _, answer, letter in ROWS if letter is not None and letter.endswith("?")]
    assert letters.count(None) / len(letters) <= 0.1


OPTIONS = find_options("Which one?\nA) first\nB) second\nC. third\n(D) coli")


def test_a_prompt_lists_its_options_by_letter() -> None:
    assert OPTIONS == {"A": "first", "B": "second", "C": "third", "D": "coli"}
    assert find_options("Is it A or B?") == {}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        pytest.param("C. third", "C", id="label-with-its-text"),
        pytest.param("c. Third.", "C", id="small-label-with-its-text"),
        pytest.param("C. second", None, id="text-of-another-option"),
        pytest.param("B) third", None, id="letter-and-text-that-differ"),
        pytest.param("The answer is B (third).", None, id="text-of-another-option-in-brackets"),
        pytest.param("B) second", "B", id="letter-and-its-text"),
        pytest.param("B. subtilis", None, id="abbreviation"),
        pytest.param("The answer is E.", None, id="no-such-option"),
    ],
)
def test_a_label_goes_with_the_text_of_its_option(answer: str, letter: str | None) -> None:
    assert find_choice(answer, OPTIONS) == letter


@given(
    answer=st.sampled_from(TOLD),
    wrapping=st.sampled_from(["**{}**", "\n{}\n", "*{}*", '"{}"', "{}  ", "# {}", "> {}", "<b>{}</b>", "「{}」"]),
)
def test_wrapping_changes_no_choice(answer: str, wrapping: str) -> None:
    assert find_choice(wrapping.format(answer)) == "B"


@given(letter=st.sampled_from(LETTERS[1:8]), text=st.text(st.characters(exclude_categories=["Lu", "Ll", "Lt", "Cs"])))
def test_text_without_letters_behind_a_conclusion_changes_no_choice(letter: str, text: str) -> None:
    assert find_choice(f"The answer is {letter}.\n\n{text.replace('?', '')}") in (letter, None)


@given(answer=st.sampled_from(TOLD), letter=st.sampled_from("CDFGH"))
def test_a_letter_joined_to_the_conclusion_leaves_no_choice(answer: str, letter: str) -> None:
    assert find_choice(f"{answer.rstrip('.。')}\nThe answer is B or {letter}.") in (None, "B")
    assert find_choice(f"The answer is B or {letter}.") is None
    assert find_choice(f"The answer is not {letter}.") is None


@given(text=st.text())
def test_any_text_is_read(text: str) -> None:
    assert find_choice(text) in (None, *LETTERS)


@pytest.mark.parametrize(
    "unit",
    [
        "A ",
        "A, ",
        "the answer is ",
        "(B) ",
        "is is is ",
        "a" * 50,
        "答案是",
        "not ",
        "\\boxed{A",
        "B. x\n",
        "A) 1 ",
        "? ",
        "'",
    ],
)
def test_a_long_answer_is_read_in_bounded_time(unit: str) -> None:
    answer = unit * ((1 << 20) // len(unit))
    find_choice(answer)
    started = time.process_time()
    find_choice(answer)
    assert time.process_time() - started < 0.1
