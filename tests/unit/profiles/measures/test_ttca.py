from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from profiles.measures.trial import Trial, TrialAttempt
from profiles.measures.ttca import (
    answerable,
    attempts_s,
    charged_s,
    ecdf,
    longest_attempts_s,
    mean_by_prompt,
    paired_bootstrap,
    par_penalty_s,
    penalised_s,
    readings,
    success_at,
    success_within,
    ttca_s,
)
from profiles.measuring.measurement import Record

CAP = 10


def trial(prompt_id: str, *steps: tuple[float, bool], error: str = "", elapsed_s: float | None = None) -> Trial:
    """Attempts one after another without a pause, each with its seconds and whether it was right."""
    tries: list[TrialAttempt] = []
    now_s = 0.0
    for latency_s, correct in steps:
        tries.append(TrialAttempt(model="m", started_s=now_s, latency_s=latency_s, correct=correct))
        now_s += latency_s
    return Trial(
        policy="laar",
        block=0,
        prompt_id=prompt_id,
        task="lookup",
        language="de",
        target_tokens=128,
        session="s",
        sent_s=0.0,
        elapsed_s=now_s if elapsed_s is None else elapsed_s,
        tries=tuple(tries),
        error=error,
    )


def give_up(whole: Trial, num_attempts: int) -> Trial:
    """The same trial, ended after its first attempts."""
    elapsed_s = sum(attempts_s(whole)[:num_attempts])
    return replace(whole, tries=whole.tries[:num_attempts], elapsed_s=elapsed_s)


def random_trial(rng: Random, prompt_id: str) -> Trial:
    """Attempts with waiting between them and up to the cap; only the last may be right."""
    tries: list[TrialAttempt] = []
    now_s = 0.0
    for _ in range(rng.randint(1, CAP)):
        now_s += rng.choice([0.0, rng.expovariate(2.0)])
        tries.append(TrialAttempt(model="m", started_s=now_s, latency_s=rng.lognormvariate(0.0, 2.0), correct=False))
        now_s += tries[-1].latency_s
    tries[-1] = replace(tries[-1], correct=rng.random() < 0.5)
    return replace(trial(prompt_id), tries=tuple(tries), elapsed_s=now_s + rng.random())


def record(prompt_id: str, model: str, *, correct: bool) -> Record:
    return Record(
        prompt_id=prompt_id,
        model=model,
        task="lookup",
        language="de",
        correct=correct,
        latency_s=1.0,
        concurrency=1,
        prompt_tokens=10,
        output_tokens=5,
        num_chars=40,
        symbol_share=0.0,
    )


# -- one trial ----------------------------------------------------------------------------------------------------


def test_ttca_runs_to_the_first_right_verdict_with_the_clients_own_time() -> None:
    assert ttca_s(trial("p", (1.0, False), (2.0, True), elapsed_s=3.5)) == 3.5


def test_ttca_ends_with_a_right_answer_that_was_followed_by_another() -> None:
    assert ttca_s(trial("p", (1.0, True), (2.0, False))) == 1.0


def test_unsolved_trial_has_no_ttca() -> None:
    assert ttca_s(trial("p", (1.0, False))) is None


def test_waiting_counts_to_the_attempt_waited_for_and_the_end_to_the_last() -> None:
    first = TrialAttempt(model="a", started_s=0.5, latency_s=1.0, correct=False)
    second = TrialAttempt(model="b", started_s=2.0, latency_s=1.0, correct=False)
    assert attempts_s(replace(trial("p"), tries=(first, second), elapsed_s=3.25)) == [1.5, 1.75]


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        pytest.param(trial("p", (1.0, False), (2.0, True)), 3.0, id="solved: TTCA"),
        pytest.param(trial("p", *[(2.0, False)] * 10), 20.0, id="all attempts made: what elapsed"),
        pytest.param(trial("p", (1.0, False), (3.0, False)), 44.0, id="two made: 4 s and eight at 5 s"),
        pytest.param(trial("p", (6.0, False), (8.0, False)), 70.0, id="own mean of 7 s is more than 5 s"),
        pytest.param(trial("p", error="timeout", elapsed_s=2.0), 52.0, id="none made: 2 s and ten at 5 s"),
    ],
)
def test_unsolved_is_charged_all_attempts(tried: Trial, expected: float) -> None:
    assert charged_s(tried, 10, attempt_s=5.0) == expected


def test_attempt_that_met_an_error_is_charged_no_less_than_one_that_was_not_made() -> None:
    failed = trial("p", (0.25, False), (7.0, False), (1.0, False))
    failed = replace(failed, tries=(*(replace(made, model="") for made in failed.tries[:2]), failed.tries[2]))
    assert charged_s(failed, 3, attempt_s=5.0) == 5.0 + 7.0 + 1.0


def test_more_attempts_than_the_cap_are_refused() -> None:
    with pytest.raises(ValueError, match="prompt 'p': 3 attempts; the cap is 2"):
        charged_s(trial("p", *[(1.0, False)] * 3), 2, attempt_s=1.0)


def test_scaling_alone_would_reward_giving_up_before_a_slow_attempt() -> None:
    whole = trial("p", (1.0, False), (50.0, True))
    quitter = give_up(whole, 1)
    assert (charged_s(whole, 10, attempt_s=0.0), charged_s(quitter, 10, attempt_s=0.0)) == (51.0, 10.0)
    assert (charged_s(whole, 10, attempt_s=50.0), charged_s(quitter, 10, attempt_s=50.0)) == (51.0, 451.0)


@pytest.mark.parametrize("seed", range(200))
def test_giving_up_never_lowers_a_charge(seed: int) -> None:
    rng = Random(seed)
    whole = random_trial(rng, "p")
    attempt_s = longest_attempts_s([whole])["p"]
    penalty_s = par_penalty_s([whole])
    for num_attempts in range(len(whole.tries)):
        quitter = give_up(whole, num_attempts)
        assert charged_s(quitter, CAP, attempt_s=attempt_s) >= charged_s(whole, CAP, attempt_s=attempt_s) - 1e-9
        assert penalised_s(quitter, penalty_s) >= penalised_s(whole, penalty_s)


@pytest.mark.parametrize("seed", range(20))
def test_giving_up_never_lowers_a_reading(seed: int) -> None:
    rng = Random(seed)
    whole = [random_trial(rng, f"p{i}") for i in range(30)]
    quitters = [give_up(t, rng.randint(0, len(t.tries))) for t in whole]
    prompts = frozenset(t.prompt_id for t in whole)
    attempt_s, penalty_s = longest_attempts_s(whole), par_penalty_s(whole)
    kept, lost = (
        readings(t, answerable=prompts, cap=CAP, attempt_s=attempt_s, penalty_s=penalty_s) for t in (whole, quitters)
    )
    assert kept.answerable_s is not None
    assert lost.answerable_s is not None
    assert lost.answerable_s >= kept.answerable_s
    assert lost.penalised_s >= kept.penalised_s


def test_penalty_below_a_solved_trial_is_refused() -> None:
    with pytest.raises(ValueError, match=r"solved after 3\.0 s; more than the penalty for not solving \(2\.0\)"):
        penalised_s(trial("p", (3.0, True)), 2.0)


# -- what all policies share --------------------------------------------------------------------------------------


def test_prompt_is_answerable_if_one_model_answers_it() -> None:
    table = [
        record("one", "a", correct=False),
        record("one", "b", correct=True),
        record("none", "a", correct=False),
        record("none", "b", correct=False),
    ]
    assert answerable(table) == {"one"}


def test_price_of_an_attempt_is_the_longest_of_any_policy_on_that_prompt() -> None:
    trials = [
        trial("p", (1.0, False), (2.0, True)),
        trial("p", (4.0, True)),
        trial("q", (3.0, True)),
        trial("untried", error="refused"),
    ]
    assert longest_attempts_s(trials) == {"p": 4.0, "q": 3.0, "untried": 4.0}


def test_no_attempt_at_all_has_no_price() -> None:
    with pytest.raises(ValueError, match="no policy made an attempt"):
        longest_attempts_s([trial("p", error="refused")])


def test_penalty_is_ten_times_the_longest_trial_of_any_policy() -> None:
    assert par_penalty_s([trial("p", (1.0, True)), trial("p", (3.0, False))]) == 30.0


# -- readings -----------------------------------------------------------------------------------------------------

TRIALS = [
    trial("easy", (1.0, True)),
    trial("hard", (1.0, False), (3.0, True)),
    trial("lost", (2.0, False), (2.0, False)),
    trial("nobody", (1.0, False)),
]


def test_readings_of_four_prompts() -> None:
    found = readings(
        TRIALS,
        answerable=frozenset({"easy", "hard", "lost"}),
        cap=3,
        attempt_s={"easy": 1.0, "hard": 3.0, "lost": 6.0, "nobody": 1.0},
        penalty_s=40.0,
    )
    # (1 + 4 + (4 + 6)) / 3, (1 + 4 + 40 + 40) / 4, (1 + 4) / 2, (1 + 4 + 4 + 1) / 4
    assert (found.answerable_s, found.penalised_s, found.solved_s, found.censored_s) == (5.0, 21.25, 2.5, 2.5)
    assert (found.num_trials, found.num_prompts, found.num_answerable, found.num_solved) == (4, 4, 3, 2)
    assert (found.success_rate, found.success_at) == (0.5, (0.25, 0.5, 0.5))
    assert (found.mean_attempts, found.num_errors) == (1.5, 0)


def test_readings_where_nothing_was_solved_or_answerable_have_no_mean() -> None:
    found = readings([trial("p", (1.0, False))], answerable=frozenset(), cap=1, attempt_s={}, penalty_s=10.0)
    assert (found.answerable_s, found.solved_s, found.penalised_s) == (None, None, 10.0)


def test_dropping_an_answerable_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="1 answerable prompts were not tried, 'dropped' among them"):
        readings(TRIALS, answerable=frozenset({"easy", "dropped"}), cap=3, attempt_s={"easy": 1.0}, penalty_s=40.0)


def test_no_trials_have_no_readings() -> None:
    with pytest.raises(ValueError, match="trials: none"):
        readings([], answerable=frozenset(), cap=3, attempt_s={}, penalty_s=1.0)


def test_prompt_counts_once_however_often_it_was_tried() -> None:
    thrice = [trial("p", (1.0, True)), trial("p", (3.0, True)), trial("q", (4.0, True))]
    assert mean_by_prompt(thrice, lambda t: t.elapsed_s) == {"p": 2.0, "q": 4.0}


def test_success_within_counts_the_unsolved_too() -> None:
    assert [success_within(TRIALS, t) for t in (0.5, 1.0, 4.0, 100.0)] == [0.0, 0.25, 0.5, 0.5]


def test_success_at_counts_the_first_attempts() -> None:
    assert [success_at(TRIALS, k) for k in (1, 2)] == [0.25, 0.5]


def test_ecdf_ends_at_the_success_rate() -> None:
    times, shares = ecdf(TRIALS)
    assert (times.tolist(), shares.tolist()) == ([1.0, 4.0], [0.25, 0.5])


# -- comparing ----------------------------------------------------------------------------------------------------


def charges(values: Sequence[float]) -> dict[str, float]:
    return {f"p{i}": value for i, value in enumerate(values)}


def test_interval_of_a_constant_ratio_has_no_width() -> None:
    hard = [1.0, 5.0, 25.0, 125.0]
    found = paired_bootstrap(charges([v / 2 for v in hard]), charges(hard), seed=1, num_resamples=100)
    assert (found.value, found.low, found.high, found.num_prompts) == pytest.approx((0.5, 0.5, 0.5, 4))


def test_ratio_is_of_the_means() -> None:
    found = paired_bootstrap(charges([1.0, 1.0]), charges([1.0, 3.0]), seed=1, num_resamples=1000)
    # the resamples that draw one prompt twice, a quarter each, are the interval's ends
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 1 / 3, 1.0))


def test_same_seed_draws_the_same_interval_whatever_the_order_of_prompts() -> None:
    rng = Random(3)
    ours, theirs = charges([rng.random() for _ in range(50)]), charges([rng.random() for _ in range(50)])
    backwards = dict(reversed(ours.items()))
    assert paired_bootstrap(ours, theirs, seed=5, num_resamples=9) == paired_bootstrap(
        backwards, theirs, seed=5, num_resamples=9
    )


def test_policies_tried_on_other_prompts_are_not_compared() -> None:
    with pytest.raises(ValueError, match="1 were tried by one policy only, 'p2' among them"):
        paired_bootstrap(charges([1.0, 1.0]), charges([1.0, 1.0, 1.0]), seed=1, num_resamples=9)


@pytest.mark.parametrize("values", [pytest.param([], id="none"), pytest.param([0.0], id="zero")])
def test_charges_must_be_there_and_positive(values: list[float]) -> None:
    with pytest.raises(ValueError, match="must be there, and above 0 s"):
        paired_bootstrap(charges(values), charges(values), seed=1, num_resamples=9)
