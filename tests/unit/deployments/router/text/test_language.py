import base64
import json
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.router.text.language import (
    MOST_BYTES,
    UNDETECTED,
    WINDOW_CHARS,
    FastTextDetector,
    ends,
    natural_windows,
)
from profiles.profile import UNKNOWN_LANGUAGE

FRENCH = "Quelle est la valeur de la clé indiquée ci-dessus ?"
CODE = """import os


def total(items, rate):
    result = 0
    for item in items:
        if item.price > 3:
            result += item.price * rate
    return result
"""


def random_bytes(num_bytes: int) -> bytes:
    return random.Random(2).randbytes(num_bytes)


@pytest.fixture(scope="module")
def detector() -> FastTextDetector:
    return FastTextDetector()


def lookup_json(num_keys: int) -> str:
    rng = random.Random(1)
    return json.dumps({f"{rng.getrandbits(48):012x}": str(rng.randrange(10**5)) for _ in range(num_keys)}, indent=0)


def english_json(num_rows: int, indent: int | None) -> str:
    rows = [{"id": i, "description": "The quick brown fox is lazy", "ok": True} for i in range(num_rows)]
    return json.dumps(rows, indent=indent)


@pytest.mark.parametrize(
    ("language", "question"),
    [
        pytest.param("en", "What time is it?", id="en"),
        pytest.param("de", "Wie spät ist es?", id="de"),
        pytest.param("fr", "Quelle heure est-il ?", id="fr"),
        pytest.param("es", "¿Cuál es la capital de Francia?", id="es"),
        pytest.param("it", "Qual è la capitale della Francia?", id="it"),
        pytest.param("pt", "Quantas pessoas vivem em Berlim?", id="pt"),
        pytest.param("nl", "Hoe laat is het?", id="nl"),
        pytest.param("pl", "Która jest godzina?", id="pl"),
        pytest.param("ru", "Который час?", id="ru"),
        pytest.param("uk", "Яка столиця Франції?", id="uk"),
        pytest.param("ar", "ما عاصمة فرنسا؟", id="ar"),
        pytest.param("fa", "پایتخت فرانسه کجاست؟", id="fa"),
        pytest.param("he", "מה השעה?", id="he"),
        pytest.param("hi", "फ्रांस की राजधानी क्या है?", id="hi"),
        pytest.param("bn", "কয়টা বাজে?", id="bn"),
        pytest.param("ta", "மணி என்ன?", id="ta"),
        pytest.param("th", "กี่โมงแล้ว", id="th"),
        pytest.param("zh", "你好", id="zh"),
        pytest.param("ja", "今何時ですか？", id="ja"),
        pytest.param("ko", "지금 몇 시예요?", id="ko"),
        pytest.param("vi", "Mấy giờ rồi?", id="vi"),
        pytest.param("id", "Berapa banyak orang yang tinggal di Berlin?", id="id"),
        pytest.param("tr", "Saat kaç?", id="tr"),
        pytest.param("sv", "Vad är klockan?", id="sv"),
        pytest.param("cs", "Jaké je hlavní město Francie?", id="cs"),
        pytest.param("el", "Τι ώρα είναι;", id="el"),
        pytest.param("ro", "Cât este ceasul?", id="ro"),
        pytest.param("hu", "Hány óra van?", id="hu"),
    ],
)
def test_a_short_question_is_named_in_its_language(detector: FastTextDetector, language: str, question: str) -> None:
    assert detector.detect(question).language == language


@pytest.mark.parametrize(
    ("language", "question"),
    [
        pytest.param("tr", "TÜRKİYE'NİN BAŞKENTİ NERESİDİR?", id="tr-capitals"),
        pytest.param("tr", "ŞİRKETİN GELİRİ NEDİR?", id="tr-capitals-of-latin-extended"),
        pytest.param("vi", "THỦ ĐÔ CỦA VIỆT NAM LÀ GÌ?", id="vi-capitals"),
        pytest.param("pl", "JAKIE JEST NAJWIĘKSZE MIASTO POLSKI?", id="pl-capitals"),
        pytest.param("lv", "KAS IR LATVIJAS GALVASPILSĒTA ŪDENS TUVUMĀ?", id="lv-capitals"),
        pytest.param("de", "Was ist 12 + 30?", id="de-sum"),
        pytest.param("es", "¿Cuánto es 12 + 30?", id="es-sum"),
        pytest.param("ru", "Сколько будет 12 + 30?", id="ru-sum"),
        pytest.param("en", "Solve for x: 2x + 3 = 7", id="en-equation"),
        pytest.param("en", "What is 17 * 23?", id="en-product"),
        pytest.param("pt", "Quanto é 12 + 30?", id="pt-sum"),
        pytest.param("tr", "12 + 30 kaç eder?", id="tr-sum"),
        pytest.param("unknown", "12 + 30 = 42", id="sum-without-words"),
        pytest.param("unknown", "x = 3; y = 4", id="equations-without-words"),
        pytest.param("unknown", "id,name,score\n1,Anna,5\n2,Bob,7", id="table"),
    ],
)
def test_capitals_and_short_sums_are_read_by_their_words(
    detector: FastTextDetector, language: str, question: str
) -> None:
    assert detector.detect(question).language == language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param("zh", "法國的首都是哪裡？", id="traditional-chinese"),
        pytest.param("zh", "请计算：3 + 6 等于多少？", id="chinese-around-a-sum"),
        pytest.param("ja", "3 + 6 を計算してください", id="japanese-after-a-sum"),
        pytest.param("zh", "宇宙有多大年纪？", id="han-that-fasttext-calls-japanese"),
        pytest.param("zh", "大学 university 研究所", id="han-with-latin-that-fasttext-calls-japanese"),
        pytest.param("zh", "怎么做面包？", id="han-that-fasttext-calls-dutch"),
        pytest.param("zh", "你食咗飯未呀？我哋去邊度食飯好？", id="cantonese"),
        pytest.param("hr", "Koliko ljudi živi u Berlinu?", id="latin-serbo-croatian"),
        pytest.param("sr", "Који је главни град Француске?", id="cyrillic-serbian"),
        pytest.param("fa", "چطور نان بپزم؟", id="letters-arabic-does-not-write"),
        pytest.param("de", "WIE VIELE MENSCHEN LEBEN IN BERLIN?", id="capitals"),
        pytest.param("en", "What does the word 好 mean in this sentence?", id="one-han-sign-in-english"),
    ],
)
def test_variants_of_one_language_share_its_name(detector: FastTextDetector, language: str, text: str) -> None:
    assert detector.detect(text).language == language


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(lookup_json(9000) + "\n\n" + FRENCH, id="lookup-64k-tokens-tail"),
        pytest.param(FRENCH + "\n\n" + lookup_json(9000), id="lookup-64k-tokens-head"),
        pytest.param(english_json(2000, None) + "\n" + FRENCH, id="compact-english-values-tail"),
        pytest.param(FRENCH + "\n" + english_json(2000, None), id="compact-english-values-head"),
        pytest.param(english_json(2000, None) + " " + FRENCH, id="compact-english-values-same-line"),
        pytest.param(english_json(2000, 2) + "\n" + FRENCH, id="pretty-english-values-tail"),
        pytest.param(FRENCH + "\n" + english_json(2000, 2), id="pretty-english-values-head"),
        pytest.param(json.dumps({"text": "It rained all day. " * 500}) + "\n" + FRENCH, id="one-long-string-tail"),
        pytest.param(FRENCH + "\n" + json.dumps({"text": "It rained all day. " * 500}), id="one-long-string-head"),
        pytest.param(random_bytes(9000).hex() + "\n" + FRENCH, id="hex-tail"),
        pytest.param(FRENCH + "\n" + base64.b64encode(random_bytes(9000)).decode(), id="base64-head"),
        pytest.param(CODE * 50 + "\n" + FRENCH, id="code-tail"),
        pytest.param(FRENCH + "\n\n" + CODE * 50, id="code-head"),
        pytest.param("```python\n" + CODE * 50 + "```\n" + FRENCH, id="fenced-code-tail"),
        pytest.param("The river was high. " * 500 + "\n\n" + FRENCH, id="english-document-tail"),
        pytest.param("<p class='big'>" * 100 + "\n" + FRENCH, id="tags-tail"),
        pytest.param("Voir https://example.com/the/best/page ou me@example.com : " + FRENCH, id="url-and-address"),
        pytest.param(lookup_json(50) + "\n\n" + FRENCH + "\n\nThe answer is:", id="english-lead-in-after-it"),
        pytest.param("The river was high.\n" * 500 + FRENCH, id="english-lines-right-before-it"),
        pytest.param(FRENCH + "\n```\nThe river was high and wide.\n```", id="fenced-english-after-it"),
        pytest.param("<p>" + FRENCH.replace(" ", "</p><p>") + "</p>", id="words-in-tags"),
        pytest.param(FRENCH + "\n\n" + "Gives the total of all the items.\n\n" + CODE * 50, id="documented-code-head"),
        pytest.param(
            FRENCH + "\n\n" + CODE * 50 + "fail(`\nThe total of all items is too high.\n`);", id="text-in-code"
        ),
    ],
)
def test_a_french_question_is_french_whatever_stands_beside_it(detector: FastTextDetector, prompt: str) -> None:
    assert detector.detect(prompt).language == "fr"


def test_a_very_short_question_after_a_blank_line_stands_by_itself(detector: FastTextDetector) -> None:
    assert detector.detect("The river was high and the road was closed. " * 500 + "\n\nSaat kaç?").language == "tr"


def test_english_field_names_leave_a_german_question_german(detector: FastTextDetector) -> None:
    payload = '{"user_name": "John Smith", "note": "Please call back later today"}'
    assert detector.detect(f"{payload}\nWelche Notiz steht dort?").language == "de"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t ", id="blank"),
        pytest.param(CODE, id="python"),
        pytest.param("int main(void) {\n  puts(greeting);\n  return 0;\n}\n", id="c"),
        pytest.param(
            CODE + "\n    check(\n        first is None\n        and pattern is not None", id="indented-python"
        ),
        pytest.param("id7 8080 river x99 41 house 12:30\n" * 20, id="records-with-a-few-words"),
        pytest.param("SELECT name, price FROM items\nWHERE price > 3\nORDER BY price;", id="sql"),
        pytest.param(random_bytes(4000).hex(), id="hex"),
        pytest.param("eb be ac ee", id="hex-pairs-that-look-like-words"),
        pytest.param(base64.encodebytes(random_bytes(4000)).decode(), id="base64"),
        pytest.param("550e8400-e29b-41d4-a716-446655440000\n" * 40, id="uuids"),
        pytest.param("https://example.com/where/is/the/house\n" * 9, id="urls"),
        pytest.param("getUserName setUserName user_name_field item2price " * 9, id="identifiers"),
        pytest.param("481516 2342 3.14159 " * 30, id="digits"),
        pytest.param("١٢٣ ٤٥٦ ٧٨٩", id="arabic-digits"),
        pytest.param(lookup_json(400), id="lookup-json"),
        pytest.param(english_json(3, None), id="short-english-json"),
        pytest.param(english_json(400, None), id="compact-english-json"),
        pytest.param(english_json(400, 2), id="pretty-english-json"),
        pytest.param("😀🎉👍" * 50, id="emoji"),
        pytest.param("ok", id="two-letters"),
        pytest.param("哈" * 1000, id="one-sign-repeated"),
    ],
)
def test_data_and_code_alone_are_unknown(detector: FastTextDetector, text: str) -> None:
    assert detector.detect(text) == UNDETECTED


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 1_000_000, id="one-letter"),
        pytest.param('"' * 1_000_000, id="quotes"),
        pytest.param('"' + '\\"' * 500_000, id="escaped-quotes"),
        pytest.param("`" * 1_000_000, id="backticks"),
        pytest.param("<a" * 500_000, id="open-tags"),
        pytest.param("a-" * 500_000, id="hyphens"),
        pytest.param(": " * 500_000, id="colons"),
        pytest.param("\n" * 1_000_000, id="newlines"),
        pytest.param("\0" * 1000, id="nul"),
        pytest.param("\ud800" * 1000, id="lone-surrogates"),
        pytest.param("\u202e\u200f\u202d" * 1000, id="direction-marks"),
        pytest.param("a" + "\u0301" * 1000, id="combining-marks"),
        pytest.param("\x1b[31m\x07\x08" * 1000, id="control-characters"),
    ],
)
def test_hostile_text_is_unknown_and_raises_nothing(detector: FastTextDetector, text: str) -> None:
    assert detector.detect(text) == UNDETECTED


def test_lone_surrogates_and_nuls_do_not_hide_the_words_around_them(detector: FastTextDetector) -> None:
    assert detector.detect("\ud800 Wie viele Menschen leben\0 in Berlin?\udfff").language == "de"


def windows(text: str) -> tuple[str, ...]:
    return tuple(natural_windows(text))


# what tells words from data, in pieces that meet in any order; and all that Unicode has, lone surrogates too
WORDS = "Wie alt ist das große Universum, und warum wächst es?"
PIECES = st.sampled_from(
    [WORDS, "多大年龄是宇宙" * 12, "سؤال قصير", "\n", "\n\n", '{"a": "', '"}', "```", "<b>", "x = 1;", "e3b0c4"]
)
TEXTS = st.lists(PIECES | st.text(st.characters(), max_size=40), max_size=60).map("".join)


@given(TEXTS)
def test_windows_are_at_most_two_short_lines_of_words_that_the_text_has(text: str) -> None:
    found = windows(text)
    assert len(found) == len(set(found)) <= 2
    for window in found:
        assert len(window.encode()) <= MOST_BYTES
        assert window.splitlines() == [window]
        assert all(word in text for word in window.split())


@given(head=st.text(min_size=WINDOW_CHARS, max_size=WINDOW_CHARS), middle=TEXTS, tail=TEXTS)
def test_what_lies_between_the_ends_changes_no_window(head: str, middle: str, tail: str) -> None:
    tail = tail[-WINDOW_CHARS:].ljust(WINDOW_CHARS)
    assert windows(head + middle + tail) == windows(head + tail) == windows(ends(head + middle + tail))


@given(TEXTS)
def test_language_is_named_as_fasttext_names_it_or_unknown(detector: FastTextDetector, text: str) -> None:
    found = detector.detect(text)
    assert 0 <= found.confidence <= 1
    assert (found.language == UNKNOWN_LANGUAGE) == (found == UNDETECTED)


def test_the_tail_comes_before_the_head() -> None:
    text = "Wie alt ist das Universum?\n" + lookup_json(300) + "\nHow old is the universe?"
    assert windows(text) == ("How old is the universe", "Wie alt ist das Universum")


def test_words_are_kept_and_data_between_them_is_dropped() -> None:
    text = 'Was ist der Wert von "ab3f9c" in user_name, siehe https://example.com/x und fooBar hier?'
    assert windows(text) == ("Was ist der Wert von in siehe und hier",)


def test_the_middle_of_a_long_text_changes_nothing(detector: FastTextDetector) -> None:
    head, tail = "x1 " * WINDOW_CHARS, "y2 " * WINDOW_CHARS
    assert windows(head + FRENCH + tail) == ()
    assert detector.detect(head + FRENCH + tail) == UNDETECTED


def test_the_ends_of_a_text_have_the_windows_of_the_whole() -> None:
    text = FRENCH + "\n" + english_json(2000, 2) + "\nWie alt ist das Universum?"
    assert len(ends(text)) == 2 * WINDOW_CHARS
    assert windows(ends(text)) == windows(text)
    assert len(windows(text)) == 2


def test_a_language_below_the_threshold_is_not_named(detector: FastTextDetector) -> None:
    assert windows("Kolik je hodin?") == ("Kolik je hodin",)
    assert detector.detect("Kolik je hodin?") == UNDETECTED


def test_confidence_is_a_probability_even_where_names_share_it(detector: FastTextDetector) -> None:
    assert 0.5 <= detector.detect("Koji je glavni grad Francuske?").confidence <= 1.0
    assert 0.9 <= detector.detect(FRENCH).confidence <= 1.0


def test_importing_the_module_loads_no_model() -> None:
    code = (
        "import sys, deployments.router.text.features;"
        "sys.exit(any(m in sys.modules for m in ('fasttext', 'ray', 'vllm', 'torch', 'fastapi')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
