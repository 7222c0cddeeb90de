"""The simulated cluster keeps to what queueing theory says of it."""

import numpy as np
import pytest

from scripts.bench.simulated.study import little_ratio, one_replica
from tests.unit.scripts.simulate.test_simulation import drawn_run


def test_littles_law_holds_for_what_arrivals_find() -> None:
    assert little_ratio(drawn_run(requests=10_000), 0.5) == pytest.approx(1.0, abs=0.05)


def test_one_slot_is_the_queue_of_pollaczek_and_khinchine() -> None:
    # 1 + 0.5 * 1 / (2 * 0.5)
    assert one_replica(np.ones(1), 0.0, 1, 0.5, 20_000, seed=1) == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize(
    "services", [pytest.param([1.0], id="all alike"), pytest.param([0.25, 1.75], id="short and long")]
)
def test_full_growth_is_processor_sharing_whatever_the_lengths(services: list[float]) -> None:
    # 1 / (1 - 0.5)
    assert one_replica(np.array(services), 1.0, 4096, 0.5, 20_000, seed=1) == pytest.approx(2.0, rel=0.04)
