import json
from pathlib import Path

import pytest

from scripts.bench.attack.run import PAGE_BYTES, attacks, bars, resident_bytes, routers, summary, target

KEYS = {"model": "m", "attacker": "a", "victim": "v"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_loopback_may_be_attacked(url: str) -> None:
    assert target(url, **KEYS).port == 8000


@pytest.mark.parametrize(
    "url", ["http://10.0.0.7:8000", "https://example.org", "http://127.0.0.1.example.org", "127.0.0.1:8000", ""]
)
def test_nothing_else_is_attacked(url: str) -> None:
    with pytest.raises(ValueError, match="only a loopback address is attacked"):
        target(url, **KEYS)


def test_each_attack_has_a_name_of_its_own() -> None:
    assert len(attacks(target("http://127.0.0.1:1", **KEYS))) == 23


def test_failed_requests_count_as_infinitely_long_and_are_counted() -> None:
    found = summary([0.1] * 98 + [0.2, float("inf")])
    assert found == {"requests": 100, "failed": 1, "p50_s": 0.1, "p99_s": float("inf")}
    assert json.dumps(summary([0.1])) == '{"requests": 1, "failed": 0, "p50_s": 0.1, "p99_s": 0.1}'


def test_memory_is_that_of_the_routers_alone(tmp_path: Path) -> None:
    for pid, name in ((11, "ray::ServeReplica:laar:Router"), (12, "ray::ServeReplica:laar:Verifier"), (13, "Router")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_text(name + "\0")
        (tmp_path / str(pid) / "statm").write_text("900 7 1 1 0 1 0")
    (tmp_path / "14").mkdir()
    assert {router.name: resident_bytes(router) for router in routers(tmp_path)} == {"11": 7 * PAGE_BYTES}
    assert resident_bytes(tmp_path / "14") == 0


def test_bars_compare_each_attack_with_the_times_alone() -> None:
    alone = summary([0.05] * 100)
    good, slow, large, failed = (
        summary([took_s] * 10) | {"router_growth_mb": grown_mb}
        for took_s, grown_mb in ((0.14, 49), (0.16, 0), (0.05, 51), (float("inf"), float("nan")))
    )
    found = bars(alone, {"good": good, "slow": slow, "large": large, "failed": failed})
    assert [bar.name for bar in found if not bar.ok] == [
        "slow: p99 later by",
        "large: router grew by MB",
        "failed: p99 later by",
        "failed: failed",
        "failed: router grew by MB",
    ]
