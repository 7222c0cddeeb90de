import random
from typing import Any

import pytest

from profiles.measuring.fitting import fit_latency, fit_profile, fit_tokens
from profiles.measuring.measurement import Record
from profiles.profile import NO_PROFILE


def record(prompt_id: str = "p", model: str = "a", **other: Any) -> Record:
    values: dict[str, Any] = {
        "prompt_id": prompt_id,
        "model": model,
        "task": "lookup",
        "language": "en",
        "correct": True,
        "latency_s": 1.0,
        "concurrency": 1,
        "prompt_tokens": 100,
        "output_tokens": 10,
        "num_chars": 400,
        "symbol_share": 0.0,
    }
    return Record(**(values | other))


def test_latency_coefficients_are_found_again() -> None:
    rng = random.Random(1)
    records = []
    for _ in range(60):
        prompt, output, n = rng.randrange(10, 1000), rng.randrange(1, 50), rng.choice((1, 4))
        latency_s = 0.2 + 0.003 * prompt + 0.02 * (1 + 0.1 * (n - 1)) * output
        records.append(record(prompt_tokens=prompt, output_tokens=output, concurrency=n, latency_s=latency_s))
    found = fit_latency(records)
    assert found.overhead_s == pytest.approx(0.2, rel=1e-3)
    assert found.prefill_s_per_token == pytest.approx(0.003, rel=1e-3)
    assert found.decode_s_per_token == pytest.approx(0.02, rel=1e-3)
    assert found.decode_growth == pytest.approx(0.1, rel=1e-3)


def test_template_prose_and_symbols_are_told_apart() -> None:
    rng = random.Random(2)
    records = []
    for _ in range(60):
        chars, share, language = rng.randrange(50, 4000), rng.random(), rng.choice(("en", "zh"))
        per_token = {"en": 4.0, "zh": 1.5}[language]
        tokens = 30 + chars * (1 - share) / per_token + chars * share / 2.0
        records.append(record(num_chars=chars, symbol_share=share, language=language, prompt_tokens=round(tokens)))
    found = fit_tokens(records)
    assert found.template == pytest.approx(30, abs=1)
    assert found.prose["en"] == pytest.approx(4.0, rel=0.02)
    assert found.prose["zh"] == pytest.approx(1.5, rel=0.02)
    assert found.prose["unknown"] == pytest.approx(2.75, rel=0.02)
    assert found.symbols == pytest.approx(2.0, rel=0.02)


def test_cells_count_by_task_language_and_bucket() -> None:
    records = [
        record("1", prompt_tokens=128),
        record("2", prompt_tokens=129, correct=False),
        record("3", prompt_tokens=200),
        record("4", prompt_tokens=90, language="de", correct=False),
    ]
    found = fit_profile(records, bucket_edges=(128, 512), measured=NO_PROFILE.measured).models["a"].cells
    assert [(c.language, c.bucket, c.correct, c.tried) for c in found] == [
        ("de", 0, 0, 1),
        ("en", 0, 1, 1),
        ("en", 1, 1, 2),
    ]


def test_pairs_hold_the_other_models_outcomes_where_one_was_wrong() -> None:
    records = [
        record("1", "a", correct=False),
        record("1", "b", correct=True),
        record("2", "a", correct=False),
        record("2", "b", correct=False),
        record("3", "a", correct=True),
        record("3", "b", correct=False),
    ]
    pairs = fit_profile(records, bucket_edges=(128,), measured=NO_PROFILE.measured).pairs
    assert [(p.failed, p.model, p.correct, p.tried) for p in pairs] == [("a", "b", 1, 2), ("b", "a", 1, 2)]
