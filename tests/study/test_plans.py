"""Plans that are searched for in many simulated clusters."""

from scripts.simulate.planning import ClusterPlan, NoPlan, plan
from scripts.simulate.trials import Trials
from tests.unit.scripts.simulate.test_plan import planned, settings, target, with_correct
from tests.unit.simulated import FAST, GOOD, profile


def test_plan_reaches_its_target_and_one_replica_less_of_any_model_does_not() -> None:
    asked, wish = settings(rate_per_s=3.0, requests=500), target(4.0)
    found = planned(asked, 4.0)
    assert found.value_s <= 4.0
    trials = Trials(asked, profile(), (FAST, GOOD), wish)
    counts = tuple(found.replicas.values())
    assert trials.meets(counts)
    for model in range(2):
        fewer = tuple(many - (row == model) for row, many in enumerate(counts))
        assert not trials.meets(fewer)


def test_plan_keeps_nearly_the_success_of_all_models() -> None:
    known = with_correct({FAST: 20, GOOD: 40})
    found = planned(settings(rate_per_s=0.05), 40.0, costs={FAST: 1.0, GOOD: 50.0}, known=known)
    assert found.replicas == {FAST: 0, GOOD: 1}
    assert found.success == 1.0


def test_a_dear_model_is_left_out_where_less_success_will_do() -> None:
    asked = settings(rate_per_s=0.05)
    assert planned(asked, 40.0, costs={GOOD: 50.0}, min_success=0.4).replicas == {FAST: 1, GOOD: 0}


def test_a_model_that_only_wastes_time_does_not_make_a_target_unreachable() -> None:
    # in turn: every second request waits 5.1 s for a wrong answer first; the fast model alone takes 1.1 s
    known = with_correct({FAST: 40, GOOD: 0})
    asked = settings(rate_per_s=0.05, policies=["round-robin"])
    assert not Trials(asked, known, (FAST, GOOD), target(2.0)).meets((16, 16))
    found = plan(asked, known, target(2.0), {})
    assert isinstance(found, ClusterPlan)
    assert found.replicas == {FAST: 1, GOOD: 0}


def test_plan_says_when_more_replicas_are_needed_than_allowed() -> None:
    found = plan(settings(rate_per_s=20.0, requests=2000), profile(), target(4.0, max_replicas=1), {})
    assert isinstance(found, NoPlan)
    assert "takes more than 1 replicas of each model" in found.why


def test_a_model_that_is_left_over_is_taken_away() -> None:
    # the good one alone is enough at this rate: its one neighbour goes, from 1 to 0
    known = with_correct({FAST: 20, GOOD: 40})
    assert planned(settings(rate_per_s=0.05), 6.0, known=known).replicas == {FAST: 0, GOOD: 1}
