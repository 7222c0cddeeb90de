"""Models that change under a router that learns."""

import pytest

from scripts.bench.estimates import drift


def test_swap_is_noticed_and_quiet_worlds_stay_quiet() -> None:
    report = drift.run(runs=1, quiet_verdicts=300, seed=3)
    assert report.failed() == []
    assert report.figures["quiet"]["verdicts"] >= 300
    swap = report.figures["runs"][0]
    assert swap["right_before"] > 0.9
    assert 0 < swap["recovered_after"] <= 100
    assert 0 < swap["alarmed_after"] <= 100


def test_alarm_before_the_swap_falls_short(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = drift._swapped
    monkeypatch.setattr(drift, "_swapped", lambda seed: swapped(seed) | {"alarms_before": 1.0})
    report = drift.run(runs=2, quiet_verdicts=300, seed=6)
    assert [(bar.name, bar.value) for bar in report.failed()] == [("alarms_before_the_swap", 2.0)]
