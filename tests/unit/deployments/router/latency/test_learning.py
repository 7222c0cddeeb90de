from collections.abc import Sequence

import numpy as np
import pytest

from deployments.router.latency.expected import Speeds
from deployments.router.latency.learning import Forecast, LatencyLearner
from profiles.profile import Latency

RIGHT = (1.0, 1.0, 1.0, 1.0)
# overhead, prefill, decode, and what others cost
TRUE = (0.05, 2e-4, 0.02, 0.1)


def learner(wrong: Sequence[float]) -> LatencyLearner:
    """Of a profile whose figures are these multiples of the truth."""
    overhead, prefill, decode, _ = (true * factor for true, factor in zip(TRUE, wrong, strict=True))
    latency = Latency(overhead_s=overhead, prefill_s_per_token=prefill, decode_s_per_token=decode)
    return LatencyLearner(Speeds.of([latency]))


def attempt(rng: np.random.Generator, wrong: Sequence[float]) -> tuple[Forecast, float, float]:
    """What the profile expects of an attempt, what it takes but for chance, and the length of its answer."""
    prompt, tokens, others = rng.uniform(50, 4000), rng.uniform(20, 300), rng.integers(0, 10)
    overhead, prefill, decode, beside = TRUE
    took_s = overhead + prefill * prompt + decode * tokens + beside * others
    forecast = Forecast(
        row=0,
        overhead_s=overhead * wrong[0],
        read_s=prefill * wrong[1] * prompt,
        before_s=beside * wrong[3] * others,
        write_s=decode * wrong[2],
        beside_s=0.0,
        output_tokens=tokens,
    )
    return forecast, took_s, tokens


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(RIGHT, id="right"),
        pytest.param((2.0,) * 4, id="too long"),
        pytest.param((0.5,) * 4, id="too short"),
        pytest.param((2.0, 0.5, 0.5, 2.0), id="reads and writes slower"),
        pytest.param((0.5, 2.0, 2.0, 0.5), id="reads and writes faster"),
    ],
)
def test_expectation_is_right_after_fifty_attempts_whatever_the_profile_said(wrong: Sequence[float]) -> None:
    rng, model = np.random.default_rng(4), learner(wrong)
    expected_s = real_s = 0.0
    for number in range(250):
        forecast, took_s, tokens = attempt(rng, wrong)
        if number >= 50:
            expected_s, real_s = expected_s + model.expected_s(forecast), real_s + took_s
        # one in fifty hangs for a while
        odd = 20.0 if rng.random() < 0.02 else 1.0
        model.observe(forecast, took_s * odd * rng.lognormal(-0.02, 0.2), now_s=number, output_tokens=tokens)
    assert 0.9 < expected_s / real_s < 1.1
    assert model.attempts == [250]


def test_corrections_enter_the_speeds() -> None:
    rng, wrong = np.random.default_rng(4), (1.0, 2.0, 0.5, 1.0)
    model = learner(wrong)
    for number in range(200):
        forecast, took_s, tokens = attempt(rng, wrong)
        model.observe(forecast, took_s, now_s=number, output_tokens=tokens)
    assert model.speeds.prefill_s_per_token.tolist() == pytest.approx([2e-4], rel=0.1)
    assert model.speeds.decode_s_per_token.tolist() == pytest.approx([0.02], rel=0.1)
    assert model.others.tolist() == pytest.approx([1.0], rel=0.15)
    assert model.profiled.decode_s_per_token.tolist() == [0.01]


def test_what_changes_is_followed() -> None:
    rng, model = np.random.default_rng(4), learner(RIGHT)
    for number in range(200):
        forecast, took_s, tokens = attempt(rng, RIGHT)
        model.observe(forecast, took_s * (1 if number < 100 else 3), now_s=number, output_tokens=tokens)
    forecast, took_s, _ = attempt(rng, RIGHT)
    assert model.expected_s(forecast) == pytest.approx(3 * took_s, rel=0.1)


def test_one_odd_attempt_moves_little() -> None:
    rng, model = np.random.default_rng(4), learner(RIGHT)
    for number in range(50):
        forecast, took_s, tokens = attempt(rng, RIGHT)
        model.observe(forecast, took_s, now_s=number, output_tokens=tokens)
    model.observe(forecast, 100 * took_s, now_s=50.0, output_tokens=tokens)
    assert model.expected_s(forecast) == pytest.approx(took_s, rel=0.05)


def test_profile_without_any_time_is_corrected_too() -> None:
    model = LatencyLearner(Speeds.of([Latency(overhead_s=0, prefill_s_per_token=0, decode_s_per_token=0)]))
    forecast = Forecast(row=0, overhead_s=0.0, read_s=0.0, before_s=0.0, write_s=0.0, beside_s=0.0, output_tokens=10.0)
    assert model.speeds.overhead_s.tolist() == [0.0]
    for number in range(50):
        model.observe(forecast, 0.01, now_s=number)
    assert model.speeds.overhead_s.tolist() == pytest.approx([0.009], rel=0.15)


def test_ratio_is_what_was_expected_over_what_it_took() -> None:
    model = learner(RIGHT)
    assert model.ratio(0) is None
    forecast = Forecast(row=0, overhead_s=0.0, read_s=0.999, before_s=0.0, write_s=0.0, beside_s=0.0, output_tokens=1.0)
    model.observe(forecast, 2.0, now_s=0.0)
    assert model.ratio(0) == pytest.approx(0.5)


def test_of_attempts_that_end_together_one_is_learned_from() -> None:
    rng, model = np.random.default_rng(4), learner(RIGHT)
    for number in range(1000):
        forecast, took_s, tokens = attempt(rng, RIGHT)
        model.observe(forecast, took_s, now_s=number / 1000, output_tokens=tokens)
    assert model.attempts == [20]


def test_attempts_that_are_cut_do_not_make_a_model_look_quicker() -> None:
    """Another model is right after about as long, so that the long half of the attempts is cut."""
    rng, heeding, heedless = np.random.default_rng(4), learner(RIGHT), learner(RIGHT)
    ratios = []
    for number in range(400):
        forecast, took_s, tokens = attempt(rng, RIGHT)
        real_s, cut_s = took_s * rng.lognormal(-0.045, 0.3, size=2)
        for model in (heeding, heedless):
            if real_s <= cut_s:
                model.observe(forecast, real_s, now_s=number, output_tokens=tokens)
        if real_s > cut_s:
            heeding.outlived(forecast, cut_s, now_s=number)
        if number >= 100:
            ratios.append([model.expected_s(forecast) / took_s for model in (heeding, heedless)])
    with_cut, without = np.mean(ratios, axis=0)
    assert 0.95 < with_cut < 1.05
    assert without < 0.9


def test_scatter_of_attempts_is_learned() -> None:
    rng, model = np.random.default_rng(4), learner(RIGHT)
    assert model.spread(0) == pytest.approx(0.3)
    for number in range(300):
        forecast, took_s, tokens = attempt(rng, RIGHT)
        model.observe(forecast, took_s * rng.lognormal(-0.18, 0.6), now_s=number, output_tokens=tokens)
    assert model.spread(0) == pytest.approx(0.6, rel=0.25)
