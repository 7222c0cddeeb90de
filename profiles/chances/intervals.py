"""How far a measured share may be from the truth."""

from functools import lru_cache

from scipy.stats import binomtest


@lru_cache(maxsize=4096)
def wilson(correct: int, tried: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a probability of which `correct` of `tried` were seen; (0, 1) if none was tried."""
    if not tried:
        return 0.0, 1.0
    interval = binomtest(correct, tried).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)
