from dataclasses import replace

import pytest

from scripts.bench.publish.bounds import attempt_times, best_orders, bounds_of, replay_s
from scripts.bench.ttca.data import ComparedTrials, compare
from tests.unit.ttca_data import PARAMETERS, compared, record, records, trial, trials


def loaded(tokens_of_p3: int = 300) -> ComparedTrials:
    """The other policy's load doubles what an attempt takes; nobody asks small for p3."""
    tokens = {"p1": 100, "p2": 200, "p3": tokens_of_p3}
    answers = [
        record(prompt_id, model, correct=True, prompt_tokens=count)
        for prompt_id, count in tokens.items()
        for model in ("big", "small")
    ]
    asked = [
        trial(policy, prompt_id, (model, slowness * took_s, True))
        for policy, slowness in (("laar", 1), ("round-robin", 2))
        for prompt_id, model, took_s in (("p1", "small", 1.0), ("p2", "small", 2.0), ("p3", "big", 9.0))
    ]
    return compare(PARAMETERS, asked, answers)


def test_oracle_takes_one_attempt_of_the_quickest_model_that_is_right() -> None:
    assert bounds_of(compared()).oracle == {"a": 1.0, "b": 4.0, "c": 4.0}


def test_static_policy_has_the_best_order_of_each_cell() -> None:
    found = bounds_of(compared())
    assert found.orders == {("lookup", "de", 90): ("big", "small"), ("lookup", "en", 90): ("small", "big")}
    assert found.static == {"a": 1.0, "b": 5.0, "c": 4.0}


def test_static_policy_is_never_slower_than_any_one_order() -> None:
    of = compared()
    static = bounds_of(of).static
    seconds = attempt_times(of).seconds
    solvable = [prompt for prompt in of.prompts if prompt.is_answerable]
    for order in (("small", "big"), ("big", "small")):
        assert sum(static.values()) <= sum(replay_s(prompt, order, seconds) for prompt in solvable)


def test_laar_is_replayed_in_the_order_in_which_it_asked() -> None:
    assert bounds_of(compared()).replayed == {"a": 1.0, "b": 5.0, "c": 4.0}


def test_laar_is_replayed_on_recorded_outcomes_where_its_own_differ() -> None:
    # small is recorded to be wrong on a, so that big comes after it: 1 s + 4 s
    changed = [replace(r, correct=r.model == "big" and r.correct) for r in records()]
    assert bounds_of(compare(PARAMETERS, trials(), changed)).replayed["a"] == 5.0


def test_times_are_measured_where_laar_made_the_attempt() -> None:
    times = attempt_times(loaded())
    assert (times.measured, times.estimated) == (3, 3)
    assert [times.seconds[key] for key in (("p1", "small"), ("p2", "small"), ("p3", "big"))] == [1.0, 2.0, 9.0]


def test_estimated_times_are_those_under_laar_s_own_load() -> None:
    # pooled, small takes 1.5 s a hundred tokens; LAAR's own attempts took two thirds of that
    times = attempt_times(loaded())
    assert times.factors == {"big": pytest.approx(2 / 3), "small": pytest.approx(2 / 3)}
    assert times.seconds["p3", "small"] == pytest.approx(3.0)


def test_estimated_times_are_not_below_any_measured_one() -> None:
    # by the line ten tokens would take 0.1 s
    assert attempt_times(loaded(tokens_of_p3=10)).seconds["p3", "small"] == 1.0


def test_attempts_of_a_trial_that_broke_off_tell_no_times() -> None:
    broken = [replace(t, error="timeout") if t.prompt_id == "d" else t for t in trials()]
    times = attempt_times(compare(PARAMETERS, broken, records()))
    assert (times.measured, times.estimated) == (4, 4)


def test_model_that_nobody_asked_is_named() -> None:
    answers = [*records(), *(record(name, "third", correct=False) for name in "abcd")]
    with pytest.raises(ValueError, match="no policy asked model 'third'"):
        bounds_of(compare(PARAMETERS, trials(), answers))


def test_too_many_models_for_all_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="7 models; all orders of at most 6 can be tried"):
        best_orders([], list("abcdefg"), {})


def test_an_attempt_that_finds_its_prompt_in_the_cache_tells_nothing_of_first_attempts() -> None:
    """Repeats of one second would halve the time of a first attempt at a, which takes four."""
    answers = [record(prompt_id, model, correct=False) for prompt_id in ("p1", "p2") for model in ("a", "b")]
    repeated = [("a", 4.0, False), ("a", 1.0, False), ("a", 1.0, False)]
    asked = [trial("laar", "p1", ("b", 3.0, False)), trial("laar", "p2", ("b", 3.0, False))]
    asked += [trial("round-robin", prompt_id, *repeated) for prompt_id in ("p1", "p2")]
    found = attempt_times(compare(dict(PARAMETERS) | {"cap": 3}, asked, answers))
    assert found.seconds["p1", "a"] == pytest.approx(4.0)
