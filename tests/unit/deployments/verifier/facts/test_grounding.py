import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.facts.grounding import Grounds, grounds
from deployments.verifier.facts.material import split_prompt

EN = 'The fleet: {"id-7f3a": "blue whale", "count": 1250}. Captain Marie Curie sails at 4.5 knots. Berlin is home.'


@pytest.mark.parametrize(
    ("language", "prompt", "answer", "expected"),
    [
        pytest.param("en", EN, "blue whale", Grounds(1, 0, 0), id="en-whole-answer"),
        pytest.param("en", EN, "red whale", Grounds(0, 1, 0), id="en-another-word-without-capitals"),
        pytest.param("en", EN, 'It says "blue whale" there somewhere.', Grounds(1, 0, 0), id="en-quotation"),
        pytest.param("en", EN, 'It says "blue shark" there somewhere.', Grounds(0, 0, 1), id="en-wrong-quotation"),
        pytest.param("en", EN, "The value was for id-7f3a, as listed.", Grounds(1, 0, 0), id="en-code"),
        pytest.param("en", EN, "The value was for id-7f3, as listed.", Grounds(0, 0, 1), id="en-cut-code"),
        pytest.param("en", EN, "There are exactly 1,250 of them.", Grounds(1, 0, 0), id="en-number-in-another-format"),
        pytest.param("en", EN, "There are exactly 125 of them.", Grounds(0, 0, 1), id="en-part-of-a-number"),
        pytest.param("en", EN, "The captain was Marie Curie.", Grounds(1, 0, 0), id="en-name"),
        pytest.param("en", EN, "The captain was Albert Curie.", Grounds(0, 0, 1), id="en-wrong-name"),
        pytest.param("en", EN, "Albert sails it.", Grounds(0, 1, 0), id="en-name-or-word-at-the-start"),
        pytest.param("en", EN, "4.5 metres", Grounds(0, 1, 1), id="en-another-unit"),
        pytest.param("en", EN, "1. There is\n2. nothing that\n3. one could check", Grounds(0, 0, 0), id="en-list"),
        pytest.param("de", "Sie wohnt in Köln.", "Sie wohnt in Hamburg.", Grounds(0, 1, 0), id="de-noun-or-name"),
        pytest.param("fr", "Le code est « bleu ».", "C'est « vert » ici.", Grounds(0, 0, 1), id="fr-quotation"),
        pytest.param("zh", "钥匙是蓝鲸。", "红鲸", Grounds(0, 1, 0), id="zh-absent"),
        pytest.param("ar", "عدد السفن ١٢٥٠ سفينة.", "1250 سفينة", Grounds(2, 0, 0), id="ar-digits"),
        pytest.param("ru", "Капитан Мария Кюри.", "Капитаном там была Мария Кюри", Grounds(1, 1, 0), id="ru-name"),
    ],
)
def test_pieces_are_looked_for_in_the_prompt(language: str, prompt: str, answer: str, expected: Grounds) -> None:
    assert grounds(answer, prompt, language) == expected


@pytest.mark.parametrize(
    ("prompt", "given", "asked"),
    [
        pytest.param("Text: It is 5 m. Question: How high is it?", "Text: It is 5 m.", "How high is it?", id="labels"),
        pytest.param("It is 5 m. How high is it?", "It is 5 m.", "How high is it?", id="question-mark"),
        pytest.param("Sum up.\n\nText: It is 5 m.", "Text: It is 5 m.", "Sum up.", id="order-before-the-text"),
        pytest.param("It is 5 m.\nTask: Sum up.", "It is 5 m.", "Sum up.", id="order-behind-the-text"),
        pytest.param("本文:高さは5mです。質問:高さは?", "本文:高さは5mです。", "高さは?", id="ja"),
        pytest.param("ข้อความ: สูง 5 ม. คำถาม: สูงเท่าไร", "ข้อความ: สูง 5 ม.", "สูงเท่าไร", id="th-without-full-stops"),
        pytest.param(
            "See https://a.org/b: it is 5 m.", "See https://a.org/b: it is 5 m.", "", id="address-is-no-label"
        ),
        pytest.param("Sum this up. It is 5 m.", "Sum this up. It is 5 m.", "", id="an-order-alone-cannot-be-told"),
    ],
)
def test_material_is_told_from_questions_and_orders(prompt: str, given: str, asked: str) -> None:
    found = split_prompt(prompt)
    assert (" ".join(found.given.split()), " ".join(found.asked.split())) == (given, asked)


TEXTS = st.text(st.sampled_from("Aa bé5.1,?!:\n'\"-%€kmЖж中文かกا"), max_size=60)


@given(TEXTS)
def test_no_prompt_is_lost(prompt: str) -> None:
    found = split_prompt(prompt)
    kept = sorted(char for char in found.given + found.asked if char.isdigit())
    assert kept == sorted(char for char in prompt if char.isdigit())


@given(TEXTS, st.integers(2, 9), st.integers(2, 9))
def test_a_number_that_the_material_lacks_is_never_found(text: str, said: int, written: int) -> None:
    prompt = "".join(char for char in text if not char.isdigit()) + f" {written}000 rooms."
    if said != written:
        assert grounds(f"{said}000 rooms", prompt, "en").found == 0


def test_pieces_are_bounded() -> None:
    answer = " ".join(f"code{i}x" for i in range(1000)) + " " + " ".join(str(i) for i in range(1000, 2000))
    assert grounds(answer, "nothing", "en").total <= 600


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        pytest.param("word " * 400, "Report: " + "word 5 kg, " * 20_000, id="numbers"),
        pytest.param("Aaaa " * 10_000, "Aaab " * 40_000, id="words-that-resemble"),
        pytest.param('"a b" ' * 8_000, "a " * 100_000, id="quotations"),
        pytest.param("上海" * 30_000, "北京" * 100_000, id="unspaced"),
        pytest.param("a-b_c " * 8_000, "x:" * 100_000, id="codes-and-labels"),
        pytest.param("A b: " * 10_000, "A b: " * 50_000, id="labels"),
    ],
)
def test_no_text_within_the_bounds_takes_long(answer: str, prompt: str) -> None:
    began_s = time.process_time()
    grounds(answer[: 1 << 16], prompt[: 1 << 18], "en")
    assert time.process_time() - began_s < 10
