"""How often something else is tried, and by what chances."""

from deployments.router.choice.exploration import Exploration
from deployments.router.settings import Learning
from tests.unit.deployments.router.choice.test_chances import FIRST, chances


def exploration(*, enabled: bool = True, explore_share: float = 0.0, seed: int = 0) -> Exploration:
    learning = Learning(enabled=enabled, explore_share=explore_share, seed=seed)
    return Exploration(chances(enabled=enabled).learner, learning)


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
