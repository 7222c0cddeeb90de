import pytest

from deployments.verifier.text.choice import find_choice


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        pytest.param("B", "B", id="bare"),
        pytest.param("b", "B", id="small"),
        pytest.param("(C) Paris", "C", id="brackets"),
        pytest.param("**D.**", "D", id="bold"),
        pytest.param("Ｂ", "B", id="full-width"),
        pytest.param("The correct answer is (B), not A.", "B", id="en-announced"),
        pytest.param("A good guess would be C", "C", id="en-article"),
        pytest.param("The answer is a hard one: E", "E", id="en-article-announced"),
        pytest.param("Die richtige Antwort lautet C.", "C", id="de"),
        pytest.param("La réponse est D.", "D", id="fr"),
        pytest.param("La respuesta correcta es B", "B", id="es"),
        pytest.param("答案是B。", "B", id="zh"),
        pytest.param("正解はCです", "C", id="ja"),
        pytest.param("الإجابة: A", "A", id="ar"),
        pytest.param("सही उत्तर B है", "B", id="hi"),
        pytest.param("คำตอบคือ D", "D", id="th"),
        pytest.param("Doğru cevap: E", "E", id="tr"),
        pytest.param("Правильный ответ: B", "B", id="ru"),
        pytest.param("Paris", None, id="no-letter"),
        pytest.param("F", None, id="beyond-e"),
        pytest.param("ABC", None, id="word"),
    ],
)
def test_the_option_is_read_from_the_answer(answer: str, letter: str | None) -> None:
    assert find_choice(answer) == letter
