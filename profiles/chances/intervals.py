"""How far a measured share may be from the truth."""

import math
from functools import lru_cache
from statistics import NormalDist

# scipy.stats has this interval too, but takes half a second to load, which every start of a router would pay
_Z = NormalDist().inv_cdf(0.975)


@lru_cache(maxsize=4096)
def wilson(correct: int, tried: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a probability of which `correct` of `tried` were seen; (0, 1) if none was tried."""
    if not tried:
        return 0.0, 1.0
    widened = tried + _Z**2
    middle = (correct + _Z**2 / 2) / widened
    half = _Z / widened * math.sqrt(correct * (tried - correct) / tried + _Z**2 / 4)
    return middle - half if correct else 0.0, middle + half if correct < tried else 1.0
