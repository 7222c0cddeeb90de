import tracemalloc

import numpy as np
import pytest

from deployments.router.choice.chances import Chances, Exploration, HeardVerdict
from deployments.router.settings import Learning
from profiles.cell import Cell
from profiles.profile import NO_PROFILE, PairCounts
from tests.unit.profiles.chances.test_capability import cell, profile

PAIR = PairCounts(failed="a", model="b", language="en", bucket=0, correct=2, tried=50)
PROFILE = profile({"a": [cell("en", 0, 25, 50)], "b": [cell("en", 0, 25, 50)]}, (PAIR,))
FIRST = np.array([0, 0, 0])


def chances(models: tuple[str, ...] = ("a", "b", "new"), **learning: object) -> Chances:
    return Chances(PROFILE, models, Learning.model_validate(learning))


def learn(found: Chances, *, correct: bool) -> None:
    if found.learner is not None:
        found.learner.observe("a", Cell("default", "en", 0), correct=correct)


@pytest.mark.parametrize("enabled", [True, False])
def test_chances_are_those_of_the_profile_in_the_order_of_the_models(enabled: bool) -> None:
    found = chances(enabled=enabled)
    expected = [found.capability.probability(model, Cell("default", "en", 0)) for model in ("a", "b", "new")]
    assert found.probabilities("default", "en", FIRST) == pytest.approx(expected)


def test_verdicts_that_are_kept_to_be_learned_again_take_next_to_no_memory() -> None:
    found = chances(half_life_verdicts=10.0)

    def hear(number: int) -> None:
        for count in range(number):
            # as they are read from the log, no two have an object in common
            texts = [b"default".decode(), b"en".decode(), b"numeric".decode(), b"b".decode(), (b"t" * 64).decode()]
            task, language, check, failed, tenant = texts
            cell = Cell(task, language, count % 2)
            found.observe(HeardVerdict("a", cell, bool(count % 3), check, (failed,), tenant))

    hear(50)
    tracemalloc.start()
    hear(200)
    grown_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown_bytes < 20_000


def test_failure_lowers_the_chance_of_models_that_fail_with_it() -> None:
    found = chances()
    before = found.probabilities("default", "en", FIRST)
    after = found.after_failures(before, "default", ["a"])
    assert after[1] < 0.5 * before[1]
    assert after[2] == before[2]


def test_without_paired_outcomes_a_failure_weighs_only_on_the_model_itself() -> None:
    alone = Chances(NO_PROFILE, ("a", "b"), Learning())
    assert alone.joint("default").is_of_each_alone
    assert not chances().joint("default").is_of_each_alone
    after = alone.after_failures(np.array([0.75, 0.75]), "default", ["a"])
    assert after == pytest.approx([0.5, 0.75])
    assert alone.after_failures(np.array([0.75, 0.75]), "default", ["a", "a"])[0] == pytest.approx(0.375)


def test_burdens_after_a_failure_are_relative_to_the_odds_then() -> None:
    found = chances()
    before, after = found.joint("default"), found.joint("default", ["a"])
    assert before is not None
    assert after is not None
    # odds / (1 + x) / (1 + y / (1 + x)) = odds / (1 + x + y)
    x, y = before.burdens[0, 1], before.burdens[1, 1]
    assert after.burdens[1, 1] == pytest.approx(y / (1 + x))


def test_burdens_are_remembered_by_who_failed() -> None:
    found = chances()
    after = {failed: found.joint("default", failed) for failed in ("a", "b")}
    for failed, other in (("a", "b"), ("b", "a")):
        assert found.joint("default", [failed]) is after[failed]
        assert after[failed] is not after[other]


def test_verdicts_change_the_chances_only_where_learning_is_on() -> None:
    for enabled in (True, False):
        found = chances(enabled=enabled)
        before = found.probabilities("default", "en", FIRST).tolist()
        learn(found, correct=False)
        assert (found.probabilities("default", "en", FIRST).tolist() != before) is enabled


def test_model_whose_verdicts_leave_its_interval_is_drifting_until_they_return() -> None:
    found = chances()
    for correct, drifting in ((False, {"a"}), (True, set())):
        for _ in range(60):
            learn(found, correct=correct)
        # as many right ones as wrong ones are what was profiled
        for index in range(60 if correct else 0):
            learn(found, correct=index % 2 == 0)
        assert found.drifting == drifting
    assert chances(enabled=False).drifting == set()


@pytest.mark.parametrize("enabled", [True, False])
def test_estimate_of_a_length_that_was_never_measured_is_marked(enabled: bool) -> None:
    found = chances(enabled=enabled)
    known = found.source.estimate("a", Cell("default", "en", 0))
    assert known.low < 0.5 < known.high
    assert not known.is_extrapolated
    assert found.source.estimate("a", Cell("default", "en", 1)).is_extrapolated


def exploration(*, enabled: bool = True, explore_share: float = 0.0, seed: int = 0) -> Exploration:
    learning = Learning(enabled=enabled, explore_share=explore_share, seed=seed)
    return Exploration(chances(enabled=enabled), learning)


def test_exploration_keeps_to_its_budget_and_uses_it() -> None:
    found = exploration(explore_share=0.01)
    spent = [found.spend() for _ in range(10_000)]
    assert all(sum(spent[: index + 1]) <= 0.01 * (index + 1) for index in range(len(spent)))
    assert sum(spent) > 90


def test_without_a_budget_nothing_is_explored() -> None:
    for found in (exploration(), exploration(explore_share=0.1, enabled=False)):
        assert not any(found.spend() for _ in range(1000))


def test_drawn_chances_differ_from_draw_to_draw_and_are_the_same_for_a_seed() -> None:
    one, same, other = (exploration(seed=seed) for seed in (1, 1, 2))
    first = one.draw("default", "en", FIRST).tolist()
    assert first == same.draw("default", "en", FIRST).tolist()
    assert first != one.draw("default", "en", FIRST).tolist()
    assert first != other.draw("default", "en", FIRST).tolist()
