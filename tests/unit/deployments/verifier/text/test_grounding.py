import pytest

from deployments.verifier.text.grounding import count_grounded

EN = 'The fleet: {"id-7f3a": "blue whale", "count": 1250}. Captain Marie Curie sails at 4.5 knots. Berlin is home.'


@pytest.mark.parametrize(
    ("language", "prompt", "answer", "expected"),
    [
        pytest.param("en", EN, "blue whale", (1, 1), id="en-whole-answer"),
        pytest.param("en", EN, "red whale", (0, 1), id="en-short-and-absent"),
        pytest.param("en", EN, 'It says "blue whale" there somewhere.', (1, 1), id="en-quotation"),
        pytest.param("en", EN, 'It says "blue shark" there somewhere.', (0, 1), id="en-wrong-quotation"),
        pytest.param("en", EN, "The value was for id-7f3a, as listed.", (1, 1), id="en-code"),
        pytest.param("en", EN, "The value was for id-7f3, as listed.", (0, 1), id="en-cut-code"),
        pytest.param("en", EN, "There are exactly 1,250 ships in it.", (1, 1), id="en-number-in-another-format"),
        pytest.param("en", EN, "There are exactly 125 ships in it.", (0, 1), id="en-part-of-a-number"),
        pytest.param("en", EN, "The captain was certainly Marie Curie.", (1, 1), id="en-name"),
        pytest.param("en", EN, "The captain was certainly Albert Curie.", (0, 1), id="en-wrong-name"),
        pytest.param(
            "en", EN, "The captain was Marie Curie of `id-7f3a`, with 1250 ships and 77 men.", (3, 4), id="en-some"
        ),
        pytest.param("en", EN, "1. there is\n2. nothing that\n3. one could check", (0, 0), id="en-list-markers"),
        pytest.param("en", EN, "nobody could say much about that", (0, 0), id="en-no-spans"),
        pytest.param("de", "Die Lösung lautet „Möwe 42“.", "möwe 42", (1, 1), id="de-whole"),
        pytest.param(
            "de", "Sie wohnt in Köln.", "Die Antwort auf die Frage ist Hamburg", (0, 0), id="de-nouns-are-no-names"
        ),
        pytest.param("fr", "Le code est « bleu ».", "Le mot cherché est « vert » ici.", (0, 1), id="fr-quotation"),
        pytest.param("es", "Hay 1.250 barcos.", "En total hay 1250 barcos allí.", (1, 1), id="es-number"),
        pytest.param("zh", "钥匙是蓝鲸，编号１２５０。", "蓝鲸", (1, 1), id="zh-whole"),
        pytest.param("zh", "钥匙是蓝鲸。", "答案是“蓝鲨”，这一点我非常确定。", (0, 1), id="zh-quotation"),
        pytest.param("zh", "钥匙是蓝鲸。", "红鲸", (0, 1), id="zh-short-and-absent"),
        pytest.param("ja", "鍵は「青い鯨」です。", "正解は「青い鯨」であると考えられます。", (1, 1), id="ja-quotation"),
        pytest.param("ar", "عدد السفن ١٢٥٠ سفينة.", "يوجد في الأسطول 1250 سفينة كبيرة", (1, 1), id="ar-digits"),
        pytest.param("hi", "जहाज़ों की संख्या १२५० है।", "कुल मिलाकर 1251 जहाज़ हैं वहाँ", (0, 1), id="hi-digits"),
        pytest.param("th", "รหัสคือ ปลาวาฬ", "ปลาวาฬ", (1, 1), id="th-whole"),
        pytest.param("tr", "Kod ISPARTA.", "ısparta", (1, 1), id="tr-whole"),
        pytest.param("ru", "Капитан Мария Кюри.", "Капитаном там была Мария Кюри", (1, 1), id="ru-name"),
    ],
)
def test_spans_are_counted_against_the_prompt(
    language: str, prompt: str, answer: str, expected: tuple[int, int]
) -> None:
    assert count_grounded(answer, prompt, language) == expected


def test_spans_are_bounded() -> None:
    answer = " ".join(f"code{i}x" for i in range(1000)) + " " + " ".join(str(i) for i in range(1000, 2000))
    assert count_grounded(answer, "nothing", "en") == (0, 400)
