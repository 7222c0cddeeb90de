from dataclasses import replace

import numpy as np
import pytest

from deployments.router.latency.expected import (
    Load,
    Speeds,
    idle_latency_s,
    loaded_latency_s,
    others_s,
    unread_tokens,
)
from profiles.profile import Latency

SPEEDS = Speeds.of([Latency(overhead_s=0.5, prefill_s_per_token=0.01, decode_s_per_token=0.1, decode_growth=0.5)])
OUTPUT = np.array([20.0])


def wait_s(*, in_flight: float, prompt_tokens: float, replicas: float = 1.0, slots: float = 8.0) -> float:
    load = Load(
        in_flight=np.array([in_flight]),
        prompt_tokens=np.array([prompt_tokens]),
        replicas=np.array([replicas]),
        starting_s=np.zeros(1),
    )
    return loaded_s(load, slots=slots)


def loaded_s(load: Load, *, slots: float) -> float:
    """More than on an idle engine."""
    others = others_s(SPEEDS, load=load, slots=np.array([slots]))
    found = loaded_latency_s(others, idle_s=np.zeros(1), output_tokens=OUTPUT, load=load)
    return float(found[0])


def test_idle_latency_is_overhead_prefill_and_decode() -> None:
    # 0.5 + 0.01 * 100 + 0.1 * 20
    latency = idle_latency_s(SPEEDS, prompt_tokens=np.array([100.0]), output_tokens=OUTPUT)
    assert latency == pytest.approx([3.5])


@pytest.mark.parametrize(
    ("load", "expected_s"),
    [
        pytest.param({"in_flight": 0, "prompt_tokens": 0}, 0.0, id="idle"),
        # 0.01 * 400 + 0.1 * 0.5 * 2 * 20
        pytest.param({"in_flight": 2, "prompt_tokens": 400}, 6.0, id="two beside"),
        # 0.01 * 200 + 0.1 * 0.5 * 1 * 20
        pytest.param({"in_flight": 2, "prompt_tokens": 400, "replicas": 2}, 3.0, id="one beside, on each of two"),
        # two slots: one runs beside, 0.1 * 0.5 * 20; three go first, 3 * 0.1 * 1.5 / 2 * 20
        pytest.param({"in_flight": 4, "prompt_tokens": 0, "slots": 2}, 5.5, id="more than slots"),
    ],
)
def test_company_slows_decoding_its_prompts_are_read_and_those_beyond_the_slots_go_first(
    load: dict[str, float], expected_s: float
) -> None:
    assert wait_s(**load) == pytest.approx(expected_s)


def test_model_that_has_to_start_takes_longer_by_that() -> None:
    cold = replace(Load.none(1), starting_s=np.array([90.0]))
    assert loaded_s(cold, slots=1.0) == pytest.approx(90.0)


def test_prompt_that_a_model_has_answered_is_not_read_again() -> None:
    load = replace(Load.none(3), replicas=np.array([1.0, 1.0, 4.0]))
    left = unread_tokens(np.full(3, 1000.0), read_tokens=np.array([0.0, 1200.0, 1000.0]), load=load)
    # of four replicas one has it; no more can have been read than there is
    assert left.tolist() == [1000.0, 0.0, 750.0]
