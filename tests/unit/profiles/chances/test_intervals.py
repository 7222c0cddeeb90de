import pytest

from profiles.chances.intervals import wilson


@pytest.mark.parametrize(
    ("correct", "tried", "expected"),
    [
        # from Wilson's formula by hand with z = 1.96
        pytest.param(0, 10, (0.0, 0.2775), id="none"),
        pytest.param(5, 10, (0.2366, 0.7634), id="half"),
        pytest.param(10, 10, (0.7225, 1.0), id="all"),
        pytest.param(0, 0, (0.0, 1.0), id="nothing tried"),
    ],
)
def test_interval_is_wilsons(correct: int, tried: int, expected: tuple[float, float]) -> None:
    assert wilson(correct, tried) == pytest.approx(expected, abs=1e-4)
