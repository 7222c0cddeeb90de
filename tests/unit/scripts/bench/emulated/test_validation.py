import pytest

from profiles.measures.trial import Trial
from scripts.bench.emulated.validation import HeldOutTrials, _errors, _in_real_seconds, _rows
from tests.unit.scripts.bench.emulated.test_world import trial


def trials(*elapsed_s: float, prompt: str = "p") -> dict[str, list[Trial]]:
    return {"laar": [trial("laar", f"{prompt}{i}", seconds) for i, seconds in enumerate(elapsed_s)]}


def test_ratios_are_over_the_real_run_beside_those_of_the_other_blocks() -> None:
    folds = [
        HeldOutTrials(real=trials(2.0, 2.0), emulated=trials(3.0, 3.0), others=trials(1.0)),
        HeldOutTrials(real=trials(4.0, 4.0), emulated=trials(3.0, 3.0), others=trials(2.0)),
    ]
    (row,) = _rows(folds, cap=10)
    assert (row["requests"], row["mean_s"]) == (4, 3.0)
    assert row["mean_ratio"] == pytest.approx(1.0)
    assert row["null_mean_ratio"] == pytest.approx(0.5)
    assert _errors([row, row | {"mean_ratio": 1.2}])["mean_ratio"] == pytest.approx(0.1)


def test_scaled_seconds_are_told_as_those_of_the_real_run() -> None:
    found = _in_real_seconds(trial("laar", "p", 0.3, at_s=0.15), 0.15)
    assert (found.elapsed_s, found.sent_s, found.tries[0].latency_s) == pytest.approx((2.0, 1.0, 2.0))
