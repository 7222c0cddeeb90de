import random
from dataclasses import dataclass, field

import pytest

from deployments.router.text.features import Features, extract
from deployments.router.text.language import UNDETECTED, Detection

PLAIN = Features(language="en", language_confidence=0.9, num_chars=1000, symbol_share=0.0, task="default")


@dataclass
class CountingDetector:
    """Knows the language of the texts it was told about and remembers all it was given."""

    languages: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def detect(self, text: str) -> Detection:
        self.seen.append(text)
        language = self.languages.get(text)
        return UNDETECTED if language is None else Detection(language=language, confidence=0.75)


def test_the_latest_text_decides_the_language() -> None:
    detector = CountingDetector({"first": "en", "last": "de"})
    features = extract(["first", "last"], detector=detector)
    assert (features.language, features.language_confidence) == ("de", 0.75)
    assert detector.seen == ["last"]


def test_an_earlier_text_decides_when_later_ones_have_no_language() -> None:
    detector = CountingDetector({"system": "en", "question": "de"})
    assert extract(["system", "question", "{}", "0x1"], detector=detector).language == "de"
    assert detector.seen == ["0x1", "{}", "question"]


def test_only_the_latest_four_texts_are_asked_for_a_language() -> None:
    detector = CountingDetector({"question": "de"})
    features = extract(["question", "1", "2", "3", "4"], detector=detector)
    assert (features.language, features.language_confidence) == ("unknown", 0.0)
    assert detector.seen == ["4", "3", "2", "1"]


def test_what_the_user_wrote_decides_before_what_a_tool_wrote() -> None:
    detector = CountingDetector({"question": "de", "result": "en"})
    texts = ["question", "result"]
    assert extract(texts, detector=detector, user_texts=texts[:1]).language == "de"
    assert detector.seen == ["question"]


def test_others_decide_where_what_the_user_wrote_has_no_language() -> None:
    detector = CountingDetector({"system": "de"})
    texts = ["system", "12", "result"]
    assert extract(texts, detector=detector, user_texts=texts[1:2]).language == "de"
    assert detector.seen == ["12", "result", "system"]


def test_a_given_language_is_taken_and_nothing_is_detected() -> None:
    detector = CountingDetector({"x": "en"})
    features = extract(["x"], detector=detector, language="de")
    assert (features.language, features.language_confidence) == ("de", 1.0)
    assert detector.seen == []


def test_the_detector_is_given_no_more_of_a_longer_prompt() -> None:
    handed = []
    for num_chars in (2_000, 260_000, 2_000_000):
        detector = CountingDetector()
        extract(["x" * num_chars] * 6, detector=detector)
        handed.append(sum(map(len, detector.seen)))
    assert handed == [4800, 4800, 4800]


def test_the_detector_is_given_both_ends() -> None:
    detector = CountingDetector()
    extract(["a" * 5000 + "b" * 5000], detector=detector)
    assert detector.seen == ["a" * 600 + "b" * 600]


def test_a_request_without_text_has_no_language_and_no_symbols() -> None:
    for texts in ([], [""], ["", ""]):
        features = extract(texts, detector=CountingDetector())
        assert features == Features(
            language="unknown", language_confidence=0.0, num_chars=0, symbol_share=0.0, task="default"
        )


def test_characters_of_all_texts_count() -> None:
    assert extract(["abc", "", "你好", "x" * 1000], detector=CountingDetector()).num_chars == 1005


def test_the_task_is_passed_on() -> None:
    assert extract(["x"], detector=CountingDetector(), task="lookup").task == "lookup"


@pytest.mark.parametrize(
    ("text", "share"),
    [
        pytest.param("only plain words here", 0.0, id="words"),
        pytest.param("12345 67890", 10 / 11, id="digits"),
        pytest.param("ab3f9c", 1.0, id="word-with-digits"),
        pytest.param("abc ab3 a.c", 4 / 11, id="mixed"),
        pytest.param("user_name", 1 / 9, id="underscore"),
        pytest.param('{"a": 1}', 6 / 8, id="json"),
        pytest.param("在2024年", 4 / 6, id="digits-within-chinese"),
        pytest.param("法国的首都", 0.0, id="chinese"),
        pytest.param("फ्रांस की राजधानी", 0.0, id="hindi-vowel-signs-are-no-symbols"),
        pytest.param("กี่โมงแล้ว", 0.0, id="thai-vowel-signs-are-no-symbols"),
        pytest.param("می‌توانی", 0.0, id="persian-joiner-is-no-symbol"),
        pytest.param("😀😀", 1.0, id="emoji"),
    ],
)
def test_symbol_share_counts_digits_signs_and_words_with_digits(text: str, share: float) -> None:
    assert extract([text], detector=CountingDetector()).symbol_share == pytest.approx(share)


def test_symbol_share_weighs_long_texts_by_their_length() -> None:
    prose, data = "word " * 20_000, "0123456789" * 10_000
    features = extract([prose, data], detector=CountingDetector())
    assert features.symbol_share == pytest.approx(0.5)


def test_symbol_share_looks_at_all_parts_of_one_text() -> None:
    features = extract(["word " * 20_000 + "0123456789" * 10_000], detector=CountingDetector())
    assert features.symbol_share == pytest.approx(0.5)


def test_symbol_share_of_a_sample_is_near_that_of_the_whole() -> None:
    rng = random.Random(5)
    text = " ".join(rng.choice(["river", "house", "a1b2c3", "2048", "and"]) for _ in range(50_000))
    # 2 of 5 words are symbols: 10 of 23 letters, 5 spaces beside them
    assert extract([text], detector=CountingDetector()).symbol_share == pytest.approx(10 / 28, abs=0.08)


def test_symbol_share_stays_a_share_for_any_text() -> None:
    rng = random.Random(6)
    for _ in range(300):
        texts = ["".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(900))) for _ in range(3)]
        assert 0.0 <= extract(texts, detector=CountingDetector()).symbol_share <= 1.0


def test_features_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        PLAIN.task = "other"  # type: ignore[misc]  # what mypy sees must fail at run time too


@pytest.mark.parametrize(
    ("text", "share"),
    [
        pytest.param("Straße à Łódź", 0.0, id="Latin"),
        pytest.param("дом 12", 0.5, id="Cyrillic beside a number"),
        pytest.param("किक", 1.0, id="a vowel sign"),
        pytest.param("٤٢ عدد", 0.5, id="digits of another script"),
        pytest.param("中、文", 2 / 3, id="punctuation"),
        pytest.param("ab 中文 x1", 0.25, id="mixed"),
    ],
)
def test_letters_of_other_scripts_are_counted_without_their_digits_and_signs(text: str, share: float) -> None:
    features = extract([text], detector=CountingDetector())
    assert features.other_share == pytest.approx(share)
    assert features.other_share + features.symbol_share <= 1
