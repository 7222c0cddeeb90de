import pytest

from deployments.router.latency import IDLE, Load, expected_latency_s
from profiles.schema import Latency

LATENCY = Latency(overhead_s=0.5, prefill_s_per_token=0.01, decode_s_per_token=0.1, decode_growth=0.5)


def test_idle_latency_is_overhead_prefill_and_decode() -> None:
    # 0.5 + 0.01 * 100 + 0.1 * 20
    assert expected_latency_s(LATENCY, prompt_tokens=100, output_tokens=20, load=IDLE) == pytest.approx(3.5)


def test_company_slows_decoding_and_its_prompts_come_first() -> None:
    load = Load(in_flight=2, prompt_tokens=400)
    # 0.5 + 0.01 * (100 + 200) + 0.1 * (1 + 0.5 * 2) * 20
    assert expected_latency_s(LATENCY, prompt_tokens=100, output_tokens=20, load=load) == pytest.approx(7.5)


def test_replicas_share_the_load() -> None:
    load = Load(in_flight=2, prompt_tokens=400, replicas=2)
    # 0.5 + 0.01 * (100 + 100) + 0.1 * (1 + 0.5 * 1) * 20
    assert expected_latency_s(LATENCY, prompt_tokens=100, output_tokens=20, load=load) == pytest.approx(5.5)
