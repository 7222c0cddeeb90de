from typing import Any

from scripts.bench.budgets.simulated import retry_bars


def at_load(**ratios: float | None) -> dict[str, Any]:
    return {"ratios": ratios}


def test_worst_load_counts_and_an_unstable_one_has_no_ratio() -> None:
    unstable = at_load(time=None, cost=0.7, best_cost=0.9)
    bars = retry_bars("x", [unstable, at_load(time=0.5, cost=0.6, best_cost=0.95)])
    assert {bar.name: bar.value for bar in bars} == {
        "retry_time_ratio_x": 0.5,
        "retry_cost_ratio_x": 0.7,
        "retry_best_cost_ratio_x": 0.95,
    }
