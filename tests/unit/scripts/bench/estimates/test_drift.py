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


def test_recovery_begins_with_the_first_window_that_is_right_often_enough() -> None:
    choices = [(100 + index, index >= 20) for index in range(100)]
    # 45 of the 50 requests from the fifteenth on are right
    assert drift._recovered(choices, 100, 0.9) == 15.0
    assert drift._recovered(choices[:60], 100, 0.9) == drift.NEVER


def test_alarm_before_the_swap_falls_short(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = drift._swapped
    monkeypatch.setattr(drift, "_swapped", lambda seed: swapped(seed) | {"alarms_before": 1.0})
    report = drift.run(runs=2, quiet_verdicts=300, seed=3)
    assert [(bar.name, bar.value) for bar in report.failed()] == [("alarms_before_the_swap", 2.0)]
