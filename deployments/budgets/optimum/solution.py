"""What a solver hands back: budgets with what they bring, and how far from the optimum they can be at most."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from deployments.budgets.optimum.problem import Floats


class Method(StrEnum):
    AUTO = "auto"
    FIXED_POINT = "fixed_point"
    DAMPED = "damped"
    GRADIENT = "gradient"
    NEWTON = "newton"


class NoConvergenceError(ArithmeticError):
    """A method used up its iterations, or found no way up, before it came close enough to the optimum."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Budgets in tokens, not rounded, and their certificate.

    `value_s` is J, `mean_time_s` E[T], `utilisation` rho. `contraction` is max R/b at the largest budgets, inf if they
    are unstable: below 1 the plain fixed point is proven to converge, from anywhere. `gap_s` is proven to bound what
    any other budgets could add to J.
    """

    budgets: Floats
    value_s: float
    mean_time_s: float
    utilisation: float
    accuracy: Floats
    method: Method
    iterations: int
    contraction: float
    gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whole:
    """Budgets in whole tokens.

    `loss_s` is what rounding took from J, proven not to exceed `bound_s`. `is_settled`: no budget changed by one token
    would raise J.
    """

    budgets: NDArray[np.int64]
    value_s: float
    utilisation: float
    loss_s: float
    bound_s: float
    passes: int
    is_settled: bool
