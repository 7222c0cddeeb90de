import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.text.thinking import after_thinking

PAIRS = [
    ("<think>", "</think>"),
    ("<THINKING>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]
PLAIN = st.text(alphabet=st.characters(exclude_characters="<>[]◁▷|`'\"{"), max_size=40)


@pytest.mark.parametrize(("opens", "closes"), [pytest.param(*pair, id=pair[0]) for pair in PAIRS])
def test_thinking_is_no_part_of_the_answer(opens: str, closes: str) -> None:
    assert after_thinking(f"{opens}Paris?{closes}Lyon") == "Lyon"
    assert after_thinking(f"Paris?{closes}Lyon") == "Lyon"
    assert after_thinking(f"{opens}Paris") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Lyon", "Lyon", id="no-thinking"),
        pytest.param("A <think>b</think> c", "A  c", id="thinking-inside"),
        pytest.param("<think>a</think>b<think>c", None, id="second-thought-unfinished"),
        pytest.param("<think>a<think>b</think>c</think>d", "d", id="nested"),
        pytest.param("a</think>b</think>c", "c", id="closed-twice"),
        pytest.param("<think>B</think>", "", id="only-thinking"),
        pytest.param("The tag is `</think>`.", "The tag is `</think>`.", id="spoken-of"),
        pytest.param("use `x`</think>y", "y", id="after-code"),
        pytest.param('{"html": "a</think>b"}', '{"html": "a</think>b"}', id="in-json"),
        pytest.param("[THINK]7?[/THINK]9", "9", id="brackets-are-no-json"),
        pytest.param("I think <b>so</b>", "I think <b>so</b>", id="other-tags"),
        pytest.param("Paris<|im_end|>\n", "Paris", id="end-of-text"),
        pytest.param("<think>a</think>\n<answer>5</answer>", "5", id="answer-tag"),
        pytest.param("<answer>5</answer> or <answer>6</answer>", "<answer>5</answer> or <answer>6</answer>", id="two"),
    ],
)
def test_what_is_left_is_what_was_said(text: str, expected: str | None) -> None:
    assert after_thinking(text) == expected


@given(thought=PLAIN, said=PLAIN, pair=st.sampled_from(PAIRS))
def test_what_was_thought_never_changes_what_was_said(thought: str, said: str, pair: tuple[str, str]) -> None:
    assert after_thinking(f"{pair[0]}{thought}{pair[1]}{said}") == said
