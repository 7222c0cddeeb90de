import pytest

from deployments.contract.verdict import Reason, unknown, was_right


@pytest.mark.parametrize(
    ("verdict", "reason", "expected"),
    [
        pytest.param("correct", "matched", True, id="correct"),
        pytest.param("wrong", "differs", False, id="wrong"),
        pytest.param("unknown", "cut_off", False, id="out of tokens"),
        pytest.param("unknown", "thinking_unfinished", False, id="out of tokens while it thought"),
        pytest.param("unknown", "unclear", None, id="not read"),
        pytest.param("error", "engine_500", None, id="no answer"),
    ],
)
def test_an_answer_that_ran_out_of_tokens_was_not_right_within_them(
    verdict: str, reason: str, expected: bool | None
) -> None:
    assert was_right(verdict, reason) is expected


def test_a_cut_answer_is_worth_what_its_check_is_worth() -> None:
    assert unknown(Reason.CUT_OFF).is_of_the_check
