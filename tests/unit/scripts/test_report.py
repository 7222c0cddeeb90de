import math

import pytest

from scripts.report import Bar, Report, finish


def report(*bars: Bar) -> Report:
    return Report(bench="overhead", parameters={}, figures={}, bars=bars)


def bar(name: str, value: float) -> Bar:
    return Bar(name=name, value=value, limit=1, kind="max")


def test_last_line_names_every_bar_that_falls_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    added = [bar(f"time_added_to_a_request_at_concurrency_{count}_ms", 2) for count in (1, 16, 64)]
    status = finish(report(*added, bar("throughput_kept", 1)), json_path=None, check=True)
    assert status == 1
    assert capsys.readouterr().out.splitlines()[-1] == (
        "falls short: time_added_to_a_request_at_concurrency_1_ms, "
        "time_added_to_a_request_at_concurrency_16_ms, time_added_to_a_request_at_concurrency_64_ms"
    )


def test_bars_that_hold_end_with_success() -> None:
    assert finish(report(bar("throughput_kept", 1)), json_path=None, check=True) == 0


def test_bars_that_are_not_checked_end_with_success() -> None:
    assert finish(report(bar("throughput_kept", 2)), json_path=None, check=False) == 0


def test_bar_without_a_figure_falls_short_and_is_null_in_json() -> None:
    without = bar("throughput_kept", math.nan)
    assert without.as_dict() == {"name": "throughput_kept", "value": None, "limit": 1, "kind": "max", "ok": False}
    assert finish(report(without), json_path=None, check=True) == 1
