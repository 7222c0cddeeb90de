"""Answers drawn from a profile: as often right as it says, wrong together as it says, and whatever is asked."""

from itertools import pairwise

import numpy as np
import pytest

from deployments.router.choice.chances import Chances
from deployments.router.settings import Learning
from profiles.profile import NO_PROFILE, CellCounts, PairCounts, Profile
from scripts.simulate.core.traffic import Traffic
from scripts.simulate.core.truth import DrawnTruth
from tests.unit.simulated import profile, prompt

NAMES = ("a", "b", "c", "d")
REQUESTS = 200_000


def known(correct: int, *, together: int | None, names: tuple[str, ...] = NAMES) -> Profile:
    """Models that are right in so many of 1000 cases, and of 1000 in so many where another was wrong."""
    cell = CellCounts(task="t", language="en", bucket=0, correct=correct, tried=1000)
    pairs = [
        PairCounts(failed=one, model=other, task="t", language="en", bucket=0, correct=together, tried=1000)
        for one in names
        for other in names
        if one != other and together is not None
    ]
    model = next(iter(profile().models.values())).model_copy(update={"cells": (cell,)})
    models = dict.fromkeys(names, model)
    return Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(128,), models=models, pairs=tuple(pairs))


def drawn(found: Profile, models: tuple[str, ...] = NAMES, *, requests: int = REQUESTS, seed: int = 0) -> DrawnTruth:
    traffic = Traffic(prompts=[prompt(len(models))], order=np.zeros(requests, dtype=np.intp), clients=1)
    return DrawnTruth(found, models, traffic, seed=seed)


def chances_in_turn(truth: DrawnTruth) -> list[float]:
    """How often a model is right where all before it were wrong."""
    wrong = [1.0, *(float((~truth.right[:, : k + 1]).all(axis=1).mean()) for k in range(truth.right.shape[1]))]
    return [1 - after / before for before, after in pairwise(wrong)]


@pytest.mark.parametrize(
    ("correct", "together", "in_turn"),
    [
        # odds of 1, divided by 2, 3 and 4
        pytest.param(500, 333, [1 / 2, 1 / 3, 1 / 4, 1 / 5], id="half"),
        # odds of 1/4, divided likewise
        pytest.param(200, 111, [1 / 5, 1 / 9, 1 / 13, 1 / 17], id="hard"),
        # odds of 4
        pytest.param(800, 667, [4 / 5, 4 / 6, 4 / 7, 4 / 8], id="easy"),
        pytest.param(500, None, [1 / 2, 1 / 2, 1 / 2, 1 / 2], id="independent"),
    ],
)
def test_each_failure_lowers_the_chance_as_the_profile_says(
    correct: int, together: int | None, in_turn: list[float]
) -> None:
    assert chances_in_turn(drawn(known(correct, together=together))) == pytest.approx(in_turn, abs=0.01)


def test_unlike_models_are_right_as_often_as_the_profile_says_and_fail_together_as_often() -> None:
    found = known(500, together=0)
    alone = dict(zip(NAMES, (300, 500, 700, 900), strict=True))
    halved = dict(zip(NAMES, (176, 333, 538, 818), strict=True))
    models = {
        name: model.model_copy(update={"cells": (model.cells[0].model_copy(update={"correct": alone[name]}),)})
        for name, model in found.models.items()
    }
    pairs = tuple(pair.model_copy(update={"correct": halved[pair.model]}) for pair in found.pairs)
    found = found.model_copy(update={"models": models, "pairs": pairs})
    beliefs = Chances(found, NAMES, Learning(enabled=False))
    chances = beliefs.probabilities("t", "en", np.zeros(4, dtype=np.intp))
    then = np.array([beliefs.after_failures(chances, "t", [name]) for name in NAMES])
    unlike = ~np.eye(4, dtype=np.bool_)
    wrong = ~drawn(found).right
    assert wrong.mean(axis=0).tolist() == pytest.approx((1 - chances).tolist(), abs=0.005)
    both = wrong.T.astype(np.float64) @ wrong / REQUESTS
    said = (1 - chances)[:, None] * (1 - then)
    assert both[unlike].mean() == pytest.approx(said[unlike].mean(), abs=0.005)
    # what a profile says of a pair depends a little on who failed first
    assert both[unlike] == pytest.approx(((said + said.T) / 2)[unlike], abs=0.02)


def test_the_luck_of_a_request_does_not_depend_on_those_after_it() -> None:
    found = known(500, together=333)
    long, short = drawn(found, requests=70_000), drawn(found, requests=66_000)
    assert (long.right[:66_000] == short.right).all()
    assert not (long.right == drawn(found, requests=70_000, seed=1).right).all()


def test_the_luck_of_a_model_does_not_depend_on_which_others_there_are() -> None:
    found = known(500, together=None)
    assert (drawn(found).right[:, 1:3] == drawn(found, ("b", "c")).right).all()
