import numpy as np
import pytest

from profiles.arrays import Floats
from profiles.chances.joint import USUAL_PROMPT_VARIANCE, Pairs, after, burdens, prompt_variance


def pairs(*rows: tuple[int, int, int, float, int, int]) -> Pairs:
    """Rows of failed, model, task, chance otherwise, correct, tried."""
    failed, model, task, chance, correct, tried = np.array(rows).T if rows else np.empty((6, 0))
    return Pairs(
        failed=failed.astype(np.intp),
        model=model.astype(np.intp),
        task=task.astype(np.intp),
        log_odds=np.log(chance / (1 - chance)),
        correct=correct,
        tried=tried,
    )


def fitted(found: Pairs, *, num_models: int = 3, num_tasks: int = 1) -> Floats:
    return burdens(found, num_models=num_models, num_tasks=num_tasks)


def test_without_pairs_a_failure_says_nothing() -> None:
    assert (fitted(pairs()) == 0).all()


def test_many_pairs_give_the_paired_rate() -> None:
    # 0.5 otherwise, 0.2 after the failure: odds 1 to 0.25, so divided by 4
    found = fitted(pairs((0, 1, 0, 0.5, 2000, 10000)))
    assert found[0, 0, 1] == pytest.approx(3.0, abs=0.05)
    assert after(np.array(0.5), found[0, 0, 1]) == pytest.approx(0.2, abs=0.002)


def test_few_pairs_are_drawn_toward_what_the_other_pairs_show() -> None:
    common = [
        (0, 2, 0, 0.5, 200, 1000),
        (2, 0, 0, 0.5, 200, 1000),
        (1, 2, 0, 0.5, 200, 1000),
        (2, 1, 0, 0.5, 200, 1000),
    ]
    found = fitted(pairs(*common, (0, 1, 0, 0.5, 1, 2)))
    assert found[0, 0, 1] == pytest.approx(3.0, abs=0.6)
    assert fitted(pairs((0, 1, 0, 0.5, 1, 2)))[0, 0, 1] == pytest.approx(0.0, abs=0.1)


def test_pair_without_figures_gets_the_shift_over_all() -> None:
    found = fitted(pairs((0, 1, 0, 0.5, 200, 1000), (1, 0, 0, 0.5, 200, 1000)))
    assert found[0, 2, 1] == pytest.approx(3.0, abs=0.5)


def test_tasks_differ_and_one_not_profiled_gets_what_they_share() -> None:
    same = (0, 1, 0, 0.5, 500, 1000)
    together = (0, 1, 1, 0.5, 100, 1000)
    found = fitted(pairs(same, together), num_tasks=2)[:, 0, 1]
    assert found[0] == pytest.approx(0.0, abs=0.1)
    assert found[1] == pytest.approx(8.0, rel=0.1)
    assert found[0] < found[2] < found[1]


def test_own_failure_weighs_like_the_most_telling_one_of_another_model() -> None:
    found = fitted(pairs((0, 2, 0, 0.5, 100, 1000), (1, 2, 0, 0.5, 400, 1000)))[0]
    assert found[2, 2] == max(found[0, 2], found[1, 2])


def test_further_failures_tell_less_and_less() -> None:
    # difficulty beta(1, 1): 1/2, after one failure 1/3, after two 1/4, after three 1/5
    assert after(np.full(4, 0.5), np.array([0.0, 1.0, 2.0, 3.0])) == pytest.approx([1 / 2, 1 / 3, 1 / 4, 1 / 5])


def test_chances_stay_chances_whatever_failures_are_said_to_mean() -> None:
    assert 0.5 < after(np.array(0.5), np.array(-7.0)) < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_shared_difficulty_is_found_in_simulated_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hardness = rng.beta(1.0, 1.0, 4000)
    correct = rng.random((3, 4000)) < hardness
    rows = [
        (
            failed,
            model,
            0,
            float(correct[model].mean()),
            int(correct[model][~correct[failed]].sum()),
            int((~correct[failed]).sum()),
        )
        for failed in range(3)
        for model in range(3)
        if failed != model
    ]
    found = fitted(pairs(*rows))[0]
    twice = ~correct[0] & ~correct[1]
    expected = after(np.array(correct[2].mean()), found[0, 2] + found[1, 2])
    assert float(expected) == pytest.approx(correct[2][twice].mean(), abs=0.03)


@pytest.mark.parametrize(
    ("both_wrong", "least", "most"),
    [
        pytest.param(250, 0.0, 0.05, id="independent"),
        pytest.param(350, 2.7, 2.9, id="wrong-together"),
        pytest.param(500, 6.8, 7.2, id="always-together"),
    ],
)
def test_prompts_differ_as_far_as_wrong_answers_fall_together(both_wrong: int, least: float, most: float) -> None:
    """Two models that are right on half of a thousand prompts."""
    rows = np.array([0, 1])
    pairs = Pairs(
        failed=rows,
        model=1 - rows,
        task=np.zeros(2, dtype=np.intp),
        log_odds=np.zeros(2),
        correct=np.full(2, 500.0 - both_wrong),
        tried=np.full(2, 500.0),
    )
    half = np.full(2, 0.5)
    assert least <= prompt_variance(pairs, failed_rate=half, model_rate=half, prompts=np.full(2, 1000.0)) <= most
    few = prompt_variance(pairs, failed_rate=half, model_rate=half, prompts=np.ones(2))
    assert few == USUAL_PROMPT_VARIANCE


def test_without_pairs_prompts_are_taken_for_alike() -> None:
    none, whole = np.array([]), np.array([], dtype=np.intp)
    pairs = Pairs(failed=whole, model=whole, task=whole, log_odds=none, correct=none, tried=none)
    assert prompt_variance(pairs, failed_rate=none, model_rate=none, prompts=none) == 0.0
