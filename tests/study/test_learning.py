"""What is believed of models stays right whatever their verdicts are worth: simulated truths, real learning."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from deployments.contract.verdict import Evidence, OtherAnswer, Outcome
from deployments.router.choice.chances import Chances
from deployments.router.settings import Learning
from deployments.verifier.checks import check
from deployments.verifier.checks.witnesses.agreement import Agreement
from profiles.cell import Cell
from profiles.chances.drift import Drift
from profiles.profile import CellCounts, CheckCounts, Profile, VerdictTally
from tests.unit.profiles.chances.test_capability import profile
from tests.unit.profiles.chances.test_drift import verdicts_until_alarm

TRUTH = {"a": 0.60, "b": 0.50, "c": 0.90}
CELL = Cell("default", "en", 0)
SAID = {Outcome.CORRECT: True, Outcome.WRONG: False, Outcome.UNKNOWN: None}
# what measuring it on 1,000 right and 1,000 wrong answers would find of a judge with 15 % errors
MEASURED_JUDGE = CheckCounts(
    check="judge", language="en", right=VerdictTally(correct=850, wrong=150), wrong=VerdictTally(correct=150, wrong=850)
)
# the verdict on an answer with the name of the check that may err
Verdict = tuple[bool | None, str | None]
GiveVerdict = Callable[[bool, Sequence[str], np.random.Generator], Verdict]


def exact(is_right: bool, _others: Sequence[str], _rng: np.random.Generator) -> Verdict:
    return is_right, None


def judge(is_right: bool, _others: Sequence[str], rng: np.random.Generator) -> Verdict:
    return is_right ^ bool(rng.random() < 0.15), "judge"


def agreement(is_right: bool, others: Sequence[str], rng: np.random.Generator) -> Verdict:
    spec = Agreement(type="agreement")
    asked = Evidence(
        answer=answer(is_right, rng),
        prompt="",
        language="en",
        model="mine",
        others=tuple(OtherAnswer(model=f"other {i}", answer=other) for i, other in enumerate(others)),
    )
    verdict = check(spec, asked)
    return SAID[verdict.outcome], spec.fallible_name if verdict.is_of_the_check else None


def mixed(is_right: bool, others: Sequence[str], rng: np.random.Generator) -> Verdict:
    return (exact, judge, agreement)[rng.integers(3)](is_right, others, rng)


def answer(is_right: bool, rng: np.random.Generator) -> str:
    return "Paris" if is_right else str(rng.choice(["Lyon", "Nice", "Lille"]))


def believed(profiled: dict[str, float], give: GiveVerdict, *, tried: int, seed: int) -> dict[str, float]:
    """After 2,000 requests to models that are asked in any order until one is found right."""
    rng = np.random.default_rng(seed)
    chances = Chances(known(profiled, tried), tuple(TRUTH), Learning())
    assert chances.learner is not None
    for _ in range(2000):
        failed: list[str] = []
        others: list[str] = []
        for model in rng.permutation(list(TRUTH)).tolist():
            is_right = bool(rng.random() < TRUTH[model])
            correct, name = give(is_right, others, rng)
            chances.learner.observe(model, CELL, correct=correct, check=name, failed=failed)
            if correct:
                break
            others.append(answer(is_right, rng))
            failed += [model] if correct is False else []
    return {model: chances.learner.estimate(model, CELL).probability for model in TRUTH}


def known(profiled: dict[str, float], tried: int) -> Profile:
    cells = {
        model: [CellCounts(language="en", bucket=0, correct=round(share * tried), tried=tried)]
        for model, share in profiled.items()
    }
    return profile(cells).model_copy(update={"checks": (MEASURED_JUDGE,)})


RIGHT = pytest.param(TRUTH, 300, id="right before")
WRONG = pytest.param(dict.fromkeys(TRUTH, 0.7), 30, id="wrong before")


@pytest.mark.parametrize(("profiled", "tried"), [RIGHT, WRONG])
@pytest.mark.parametrize(
    "give", [pytest.param(exact, id="exact"), pytest.param(judge, id="judge"), pytest.param(mixed, id="mixed")]
)
def test_beliefs_are_near_the_truth_after_two_thousand_requests(
    give: GiveVerdict, profiled: dict[str, float], tried: int
) -> None:
    """Half of what is known of a model rests on its latest 1,000 verdicts, so single runs differ by chance."""
    found = [believed(profiled, give, tried=tried, seed=seed) for seed in range(5)]
    errors = np.array([[run[model] - truth for model, truth in TRUTH.items()] for run in found])
    assert np.abs(errors.mean(axis=0)).max() < 0.03
    assert np.sqrt((errors**2).mean(axis=0)).max() < 0.05


def test_agreement_leaves_beliefs_that_are_right_as_they_are() -> None:
    assert believed(TRUTH, agreement, tried=300, seed=0) == pytest.approx(TRUTH, abs=0.01)


def test_a_judge_that_nobody_measured_teaches_nothing() -> None:
    def unmeasured(is_right: bool, others: Sequence[str], rng: np.random.Generator) -> Verdict:
        return judge(is_right, others, rng)[0], "judge:another"

    profiled = dict.fromkeys(TRUTH, 0.7)
    assert believed(profiled, unmeasured, tried=30, seed=0) == pytest.approx(profiled, abs=0.02)


def test_answers_to_what_others_failed_on_are_no_fair_sample() -> None:
    """`b` is right on 60 % of all requests, and on a tenth of those that `a` fails on; no pair was measured."""
    rng = np.random.default_rng(0)
    chances = Chances(known({"a": 0.5, "b": 0.6, "c": 0.9}, 300), tuple(TRUTH), Learning())
    assert chances.learner is not None
    for _ in range(2000):
        correct = bool(rng.random() < 0.1)
        chances.learner.observe("b", CELL, correct=correct, failed=["a"])
    # taken for a fair sample they would make it 0.12
    assert chances.learner.estimate("b", CELL).probability > 0.4
    assert not chances.drifting


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.9])
def test_no_alarm_in_many_verdicts_where_nothing_changed(chance: float) -> None:
    # the worst case: the interval is a point, so that chance alone leaves it half of the time
    assert verdicts_until_alarm(Drift(), low=chance, high=chance, chance=chance, seed=1, most=20_000) is None


@pytest.mark.parametrize("num_keys", [1, 4, 8])
@pytest.mark.parametrize("truth", [0.01, 0.99])
def test_long_runs_of_equal_verdicts_count_as_much_as_rare_ones(truth: float, num_keys: int) -> None:
    chances = Chances(known({"a": truth}, 1000), ("a",), Learning())
    assert chances.learner is not None
    # every hundredth verdict is of the rarer kind, so that chance moves nothing
    for number in range(5000):
        is_rare = number % 100 == 50
        correct = is_rare if truth < 0.5 else not is_rare
        chances.learner.observe("a", CELL, correct=correct, tenant=f"key {number % 97 % num_keys}")
    assert chances.learner.estimate("a", CELL).probability == pytest.approx(truth, abs=0.01)
    assert not chances.drifting
