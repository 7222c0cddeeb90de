"""The fluid bound, held against clusters that are reckoned by hand."""

import numpy as np
import pytest

from scripts.bench.simulated.load import FluidBound


def bound(quick_wrong: float, *, good_work_s: float = 2.0) -> FluidBound:
    """One kind of prompt; a quick model, and a good one that is right whatever the quick one said."""
    wrong = np.array([[[quick_wrong, 0.0], [1.0, 0.0], [quick_wrong, 1.0], [1.0, 1.0]]])
    return FluidBound(
        wrong=wrong,
        share=np.array([1.0]),
        work_s=np.array([[1.0, good_work_s]]),
        idle_s=np.array([[1.0, 4.0]]),
        replicas=np.array([1.0, 1.0]),
    )


def test_idle_cluster_is_asked_in_the_order_of_latency_over_probability() -> None:
    # the quick one first: 1 + 0.5 * 4; the good one alone: 4
    assert bound(0.5).mean_s(0.01) == pytest.approx(3.0)
    # 1 + 0.9 * 4 = 4.6
    assert bound(0.9).mean_s(0.01) == pytest.approx(4.0)


def test_capacity_is_the_rate_at_which_no_engine_can_take_more() -> None:
    # all go to the quick one first while it can, half of them on to the good one: both are full at 1 a second
    assert bound(0.5).capacity_per_s == pytest.approx(1.0)
    # the quick one answers a tenth of all; the good one takes the rest, in 2 s each
    assert bound(0.9).capacity_per_s == pytest.approx(0.5 / 0.9)


def test_full_engine_sends_what_it_cannot_take_elsewhere() -> None:
    # at 0.55 a second the good one takes 0.5, so 0.05 have to be answered by the quick one, of 0.5 that it is asked:
    # 0.5 * 1 + 0.5 * 4 over 0.55
    assert bound(0.9).mean_s(0.55) == pytest.approx(2.5 / 0.55, rel=1e-6)
