import pytest

from deployments.contract.reply import Reply
from deployments.router.attempt.tries import Attempt, Status, StopReason, Tries
from deployments.router.choice.policy import Exclusion


def attempt(model: str, status: Status, *, probability: float = 0.5, answered: bool = True) -> Attempt:
    return Attempt(
        model=model,
        status=status,
        reason="",
        latency_s=1.0,
        probability=probability,
        reply=Reply(200, b"{}", text=model) if answered else None,
    )


def log(*attempts: Attempt, max_attempts: int = 10, is_repeatable: bool = True) -> Tries:
    found = Tries(max_attempts=max_attempts, deadline_at_s=100.0, is_repeatable=is_repeatable)
    for one in attempts:
        found.add(one)
    return found


@pytest.mark.parametrize(
    ("attempts", "now_s", "reason"),
    [
        pytest.param([], 0.0, None, id="nothing-tried"),
        pytest.param([attempt("a", Status.WRONG)], 0.0, None, id="wrong-goes-on"),
        pytest.param([attempt("a", Status.UNKNOWN)], 0.0, None, id="unknown-goes-on"),
        pytest.param([attempt("a", Status.ERROR, answered=False)], 0.0, None, id="error-goes-on"),
        pytest.param([attempt("a", Status.CORRECT)], 0.0, StopReason.ANSWERED, id="correct-stops"),
        pytest.param([attempt("a", Status.UNVERIFIED)], 0.0, StopReason.ANSWERED, id="unverified-stops"),
        pytest.param([], 100.0, StopReason.DEADLINE, id="deadline-stops"),
        pytest.param([attempt("a", Status.WRONG)] * 3, 0.0, StopReason.MAX_ATTEMPTS, id="max-attempts-stops"),
        pytest.param([attempt("a", Status.CORRECT)], 200.0, StopReason.ANSWERED, id="answer-beats-deadline"),
    ],
)
def test_stop_reason(attempts: list[Attempt], now_s: float, reason: StopReason | None) -> None:
    assert log(*attempts, max_attempts=3).stop_reason(now_s) is reason


@pytest.mark.parametrize(
    ("statuses", "is_repeatable", "exclusion"),
    [
        pytest.param([], True, None, id="untried"),
        pytest.param([Status.WRONG], True, Exclusion.SAME_ANSWER_EXPECTED, id="would-repeat-itself"),
        pytest.param([Status.WRONG], False, Exclusion.WAS_WRONG, id="sampling-can-differ"),
        pytest.param([Status.UNKNOWN], False, Exclusion.TRIED, id="unclear-and-sampling"),
        pytest.param([Status.ERROR], True, Exclusion.TRIED, id="one-fault"),
        pytest.param([Status.ERROR, Status.TIMEOUT], True, Exclusion.FAILED_REPEATEDLY, id="two-faults"),
        pytest.param([Status.ERROR, Status.WRONG], True, Exclusion.SAME_ANSWER_EXPECTED, id="fault-then-wrong"),
    ],
)
def test_exclusion(statuses: list[Status], is_repeatable: bool, exclusion: Exclusion | None) -> None:
    found = log(*(attempt("a", status) for status in statuses), is_repeatable=is_repeatable)
    assert found.exclusion("a") is exclusion
    assert found.exclusion("other") is None


def test_verified_answer_is_best_even_if_it_came_last() -> None:
    best = log(attempt("a", Status.WRONG), attempt("b", Status.CORRECT)).best_answer()
    assert best is not None
    assert best.model == "b"


def test_answer_that_could_not_be_judged_beats_a_wrong_one() -> None:
    best = log(attempt("a", Status.WRONG, probability=0.9), attempt("b", Status.UNKNOWN, probability=0.1)).best_answer()
    assert best is not None
    assert best.model == "b"


def test_among_equals_the_likelier_model_is_shown() -> None:
    best = log(attempt("a", Status.WRONG, probability=0.2), attempt("b", Status.WRONG, probability=0.6)).best_answer()
    assert best is not None
    assert best.model == "b"


def test_faults_are_no_answers() -> None:
    assert log(attempt("a", Status.ERROR, answered=False)).best_answer() is None


def test_failed_models_are_those_that_were_wrong_as_often_as_they_were() -> None:
    found = log(attempt("a", Status.WRONG), attempt("b", Status.UNKNOWN), attempt("a", Status.WRONG))
    assert found.failed_models == ("a", "a")


def test_model_has_answered_unless_all_its_attempts_were_faults() -> None:
    found = log(attempt("a", Status.TIMEOUT, answered=False), attempt("b", Status.ERROR), attempt("b", Status.WRONG))
    assert found.answered == {"b"}
