import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.verifier.text.judgement import WORDS, choose_words, read_judgement

RIGHT = ["CORRECT", " correct.\n", "**Correct!**", '"CORRECT"', "(CORRECT)", "`CORRECT`", "*Correct*", "__CORRECT__"]
RIGHT += [
    "“CORRECT”",
    "「CORRECT」",
    "CORRECT。",
    "ＣＯＲＲＥＣＴ",
    "# CORRECT",
    "> CORRECT",
    "```\nCORRECT\n```",
    "**CORRECT**.",
]
RIGHT += ["<think>wrong? no</think>CORRECT", "thinking without a beginning</think>\n\n**CORRECT**"]
WRONG = ["WRONG", "wrong", "Incorrect.", "**WRONG**", "[INCORRECT]", "<think>It is correct?</think> WRONG!"]
# negations, both, conditions, parts, thinking that does not end, echoes, and words of other languages
UNCLEAR = """
not CORRECT|NOT CORRECT|non-correct|isn't correct|It isn't correct.|no longer correct|hardly correct|never correct
partially correct|Only half correct|nearly correct|far from correct|anything but correct|CORRECT in part|CORRECT?
CORRECT or WRONG|CORRECT/WRONG|[CORRECT/WRONG]|CORRECT WRONG|CORRECT, WRONG|CORRECT. WRONG.|WRONG or CORRECT?
Either CORRECT or WRONG.|Neither|If so, CORRECT|CORRECT if it is Paris|CORRECT answer: Rome|The correct answer
WRONG, it is Rome|CORRECT - Paris|CORRECT: yes|CORRECT = 0|CORRECT: false|Answer: CORRECT|{"verdict": "CORRECT"}
!CORRECT|-CORRECT|~CORRECT|¬CORRECT|~~CORRECT~~|CORRECT...|CORRECT…|CORRECT..|CORRECT\u0338|"CORRECT|CORRECT"|(CORRECT
<think>CORRECT|<think>|</think>|<think>a</think><think>CORRECT|◁think▷CORRECT|<|channel|>CORRECT
不CORRECT|CORRECTではありません|CORRECT가 아닙니다|CORRECT değil|nicht CORRECT|ليست CORRECT|не CORRECT|pas CORRECT
Korrekt|Falsch|正确|不正确|صحيح|correcto|правильно|yes|no|true|false|Right|C|COR|CORREC|CORRECTED|CORRECTLY|INCORRECTLY
The answer is CORRECT|I say CORRECT|CORRECT CORRECT|x|.|...|?|unknown|UNSURE|unsure.
"""


@pytest.mark.parametrize("reply", RIGHT)
def test_the_word_for_right_alone_is_right(reply: str) -> None:
    assert read_judgement(reply) is True


@pytest.mark.parametrize("reply", WRONG)
def test_a_word_for_wrong_alone_is_wrong(reply: str) -> None:
    assert read_judgement(reply) is False


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "CORRECT\nWRONG",
        "WRONG\nCORRECT",
        *(reply for line in UNCLEAR.strip().split("\n") for reply in line.split("|")),
    ],
)
def test_anything_more_or_less_is_unclear(reply: str) -> None:
    assert read_judgement(reply) is None


@given(st.text(st.sampled_from("CORETWNGcorectwng notin.!?*()\"'\n"), max_size=24))
def test_no_more_than_the_word_is_read(reply: str) -> None:
    letters = "".join(char for char in reply.upper() if char.isalpha())
    if read_judgement(reply) is not None:
        assert letters in ("CORRECT", "WRONG", "INCORRECT")


@given(st.sampled_from(RIGHT + WRONG), st.text(min_size=1, max_size=8))
def test_a_reply_never_turns_right_by_words_around_it(reply: str, more: str) -> None:
    if any(char.isalnum() for char in more) and "</think>" not in more:
        assert read_judgement(f"{reply.strip()} {more}") is None


@given(st.sampled_from([reply for reply in RIGHT + WRONG if "think" not in reply]), st.data())
def test_a_cut_reply_says_nothing_else(reply: str, data: st.DataObject) -> None:
    cut = reply[: data.draw(st.integers(0, len(reply)))]
    assert read_judgement(cut) in (None, read_judgement(reply))


def test_words_are_other_ones_than_the_text_has() -> None:
    assert choose_words(WORDS, "Paris", "the capital") == WORDS[0]
    assert choose_words(WORDS, "Which is incorrect?", "Paris") == WORDS[1]
    assert choose_words(WORDS, "ｃｏｒｒｅｃｔ", "Reject!") == WORDS[2]
    assert choose_words(WORDS, "correct reject pass", "") is None
    assert choose_words(WORDS[:1], "correct", "") == WORDS[0]
