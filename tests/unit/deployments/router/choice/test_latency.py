from dataclasses import replace

import numpy as np
import pytest

from deployments.router.choice.latency import Load, Speeds, idle_latency_s, queueing_s, unread_tokens
from profiles.profile import Latency

SPEEDS = Speeds.of([Latency(overhead_s=0.5, prefill_s_per_token=0.01, decode_s_per_token=0.1, decode_growth=0.5)])
OUTPUT = np.array([20.0])


def load(*, in_flight: int, prompt_tokens: int, replicas: int = 1) -> Load:
    return Load(in_flight=np.array([in_flight]), prompt_tokens=np.array([prompt_tokens]), replicas=np.array([replicas]))


def test_idle_latency_is_overhead_prefill_and_decode() -> None:
    # 0.5 + 0.01 * 100 + 0.1 * 20
    latency = idle_latency_s(SPEEDS, prompt_tokens=np.array([100.0]), output_tokens=OUTPUT)
    assert latency == pytest.approx([3.5])


def test_company_slows_decoding_and_its_prompts_come_first() -> None:
    # 0.01 * 200 + 0.1 * 0.5 * 2 * 20
    busy = load(in_flight=2, prompt_tokens=400)
    assert queueing_s(SPEEDS, output_tokens=OUTPUT, load=busy) == pytest.approx([4.0])


def test_replicas_share_the_load() -> None:
    # 0.01 * 100 + 0.1 * 0.5 * 1 * 20
    busy = load(in_flight=2, prompt_tokens=400, replicas=2)
    assert queueing_s(SPEEDS, output_tokens=OUTPUT, load=busy) == pytest.approx([2.0])


def test_idle_engine_keeps_nobody_waiting() -> None:
    assert queueing_s(SPEEDS, output_tokens=OUTPUT, load=load(in_flight=0, prompt_tokens=0)) == pytest.approx([0.0])


def test_prompt_that_a_model_has_answered_is_not_read_again() -> None:
    load = replace(Load.none(3), replicas=np.array([1, 1, 4]))
    left = unread_tokens(np.full(3, 1000.0), has_answered=np.array([False, True, True]), load=load)
    # of four replicas one has it
    assert left.tolist() == [1000.0, 0.0, 750.0]
