"""Synthetic models of known accuracy and latency, so that it is known which choice of a model is right."""

import numpy as np
import pytest

from profiles.measuring.adaptive import Arm, doubt, next_arms

MODELS = ("a", "b", "c", "d")


def arm(model: str, latency_s: float, correct: int, tried: int, *, can_be_asked: bool = True) -> Arm:
    return Arm(model=model, latency_s=latency_s, correct=correct, tried=tried, can_be_asked=can_be_asked)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_leader_has_the_lowest_latency_over_probability() -> None:
    found = doubt([arm("fast", 1.0, 10, 100), arm("right", 2.0, 90, 100), arm("slow", 9.0, 95, 100)], rng=rng())
    assert (found.leader, found.probability) == ("right", 0.0)


def test_two_models_of_which_nothing_is_known_leave_the_choice_open() -> None:
    found = doubt([arm("a", 1.0, 0, 0), arm("b", 1.0, 0, 0)], rng=rng())
    assert (found.leader, found.challenger) == ("a", "b")
    assert found.probability == pytest.approx(0.48, abs=0.03)


def test_doubt_falls_with_every_prompt_that_says_the_same() -> None:
    few, more, many = (
        doubt([arm("a", 1.0, 8 * n, 10 * n), arm("b", 1.0, 6 * n, 10 * n)], rng=rng()).probability for n in (1, 4, 16)
    )
    assert few > more > many
    assert many < 0.01


def test_models_of_the_same_cost_leave_no_doubt_once_both_are_known() -> None:
    assert doubt([arm("a", 1.0, 8000, 10_000), arm("b", 1.0, 8000, 10_000)], rng=rng()).probability < 0.01


def test_only_model_is_beyond_doubt() -> None:
    found = doubt([arm("a", 1.0, 0, 3)], rng=rng())
    assert (found.leader, found.challenger, found.probability) == ("a", "a", 0.0)


def test_challenger_is_the_one_that_most_often_beats_the_leader() -> None:
    arms = [arm("a", 1.0, 30, 40), arm("b", 1.0, 28, 40), arm("c", 1.0, 2, 40)]
    assert doubt(arms, rng=rng()).challenger == "b"


CELLS = {
    "clear": [arm("a", 1.0, 40, 40), arm("b", 5.0, 0, 40)],
    "open": [arm("a", 1.0, 5, 10), arm("b", 1.0, 4, 10)],
    "leaning": [arm("a", 1.0, 8, 10), arm("b", 1.0, 4, 10)],
}


def test_most_doubtful_cells_are_asked_first_and_certain_ones_not_at_all() -> None:
    found = next_arms(CELLS, rng=rng(), threshold=0.01, most_cells=9)
    assert found == [("open", "a"), ("open", "b"), ("leaning", "a"), ("leaning", "b")]


def test_no_more_cells_are_taken_than_asked_for() -> None:
    assert next_arms(CELLS, rng=rng(), threshold=0.01, most_cells=1) == [("open", "a"), ("open", "b")]


def test_nothing_is_asked_when_every_choice_is_certain_enough() -> None:
    assert next_arms(CELLS, rng=rng(), threshold=0.6, most_cells=9) == []


def test_model_without_prompts_left_is_not_asked() -> None:
    spent = arm("a", 1.0, 5, 10, can_be_asked=False)
    assert next_arms({"x": [spent, CELLS["open"][1]]}, rng=rng(), threshold=0.1, most_cells=9) == [("x", "b")]
    assert next_arms({"x": [spent]}, rng=rng(), threshold=0.1, most_cells=9) == []
