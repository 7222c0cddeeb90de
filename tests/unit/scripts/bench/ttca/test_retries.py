import pytest

from scripts.bench.ttca.retries import RetriedPrompt, figures_of


def one(*models: str, solved_s: float | None = None) -> RetriedPrompt:
    return RetriedPrompt(models=models, solved_s=solved_s)


def test_times_are_compared_over_prompts_that_both_have_solved() -> None:
    found = figures_of(
        [
            (one("a", solved_s=1.0), one("a", solved_s=2.0)),
            (one("a", "b", solved_s=5.0), one("a", "b", solved_s=2.0)),
            (one("a", "b"), one("a", "b", solved_s=9.0)),
        ]
    )
    assert found["ttca_ratio"] == pytest.approx(1.5)
    assert found["solved_ratio"] == pytest.approx(2 / 3)
    assert (found["client"]["retried"], found["client"]["attempts"], found["router"]["solved"]) == (2, 5, 3)


def test_a_model_that_is_asked_again_is_a_repeat() -> None:
    assert one("a", "b", "a", "a").num_repeats == 2
