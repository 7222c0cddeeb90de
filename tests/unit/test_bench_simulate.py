"""The bench of the simulator judges time and memory at full size only."""

from typer.testing import CliRunner

from scripts.bench.commands import bench
from scripts.bench.simulate import size_bars


def test_time_and_memory_of_a_smaller_cluster_are_not_judged() -> None:
    small, full = (size_bars(many, 1000, wall_s=1.0, memory_gib=1.0) for many in (10_000, 1_000_000))
    assert [(bar.name, bar.ok) for bar in small] == [("full_size", False)]
    assert [(bar.name, bar.ok) for bar in full] == [("wall_s", True), ("memory_gib", True)]


def test_a_cluster_that_ten_models_do_not_share_evenly_is_refused() -> None:
    done = CliRunner().invoke(bench, ["simulate", "--replicas", "1005"])
    assert done.exit_code == 2
    assert "a multiple of 10 is wanted" in done.output
