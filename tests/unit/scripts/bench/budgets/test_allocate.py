from typing import Any

from scripts.bench.budgets.simulated import retry_bars


def at_load(*, fastest: list[int], once_fastest: list[int], best_time: float) -> dict[str, Any]:
    return {
        "valued": {"budgets": [10, 20]},
        "once": {"budgets": [30, 40]},
        "once_cheapest": {"budgets": [11, 20]},
        "fastest": {"budgets": fastest},
        "once_fastest": {"budgets": once_fastest},
        "ratios": {"time": None, "cost": 0.7, "best_time": best_time, "best_cost": 0.9},
    }


STABLE_RATIOS = {"time": 0.5, "cost": 0.6, "best_time": 1.0, "best_cost": 0.95}


def test_worst_load_counts_and_an_unstable_one_has_no_ratio() -> None:
    unstable = at_load(fastest=[1, 0], once_fastest=[0, 0], best_time=0.8)
    bars = retry_bars("x", [unstable, unstable | {"ratios": STABLE_RATIOS}])
    assert {bar.name: bar.value for bar in bars} == {
        "retry_time_ratio_x": 0.5,
        "retry_cost_ratio_x": 0.7,
        "retry_best_time_ratio_x": 1.0,
        "retry_best_cost_ratio_x": 0.95,
    }


def test_same_budgets_at_every_load_are_no_comparison() -> None:
    same = at_load(fastest=[0, 0], once_fastest=[0, 0], best_time=1.0)
    bars = retry_bars("x", [same, same | {"ratios": STABLE_RATIOS}])
    assert [bar.name for bar in bars] == ["retry_time_ratio_x", "retry_cost_ratio_x", "retry_best_cost_ratio_x"]
