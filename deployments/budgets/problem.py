"""The budget problem: task types that share one server, what a thinking token costs them and what it brings."""

from dataclasses import dataclass, fields

import numpy as np

from profiles.arrays import Floats

# How far shares may be from summing to 1: what rounding to a few digits in a file leaves.
SHARE_TOLERANCE = 1e-6

# Bounds far outside of what a server has, so that no product of parameters overflows.
LARGEST, SMALLEST = 1e12, 1e-12


def dot(left: Floats, right: Floats) -> float:
    """The sum of products, without BLAS: its threads would fight over cores that are busy serving."""
    return float(np.einsum("k,k->", left, right))


class ProblemError(ValueError):
    """The parameters name no problem; the message says which one, what was given and what is allowed."""


class UnstableError(ProblemError):
    """Work arrives faster than it can be done, even without any thinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """n task types in front of one server, first come first served; arrays have shape (n,).

    A request of type k, `shares[k]` of all, takes `base_s[k] + token_s[k] * l` seconds of service with a budget of
    l thinking tokens, 0 <= l <= `max_tokens[k]`, and is answered correctly with probability
    `floor[k] + gain[k] * (1 - exp(-rate[k] * l))`. Requests arrive as a Poisson process of `arrivals_per_s`, and a
    correct answer is worth `worth_s` seconds of waiting. Notation of arXiv 2601.10274: shares pi, base_s t0, token_s c,
    gain A, rate b, floor D, arrivals_per_s lambda, worth_s alpha. `capacity` is the seconds of service that the server
    does in a second: 1 if one request at a time, up to `Batching.capacity` if many. Raises ProblemError.
    """

    shares: Floats
    base_s: Floats
    token_s: Floats
    gain: Floats
    rate: Floats
    floor: Floats
    max_tokens: Floats
    arrivals_per_s: float
    worth_s: float
    capacity: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_finite(field.name, getattr(self, field.name))
        _check_shapes(self)
        for name in ("token_s", "rate"):
            if (getattr(self, name) < SMALLEST).any():
                raise ProblemError(f"{name}: {getattr(self, name).min():g} given; it must be at least {SMALLEST:g}")
        if (most := float((self.floor + self.gain).max())) > 1 + SHARE_TOLERANCE:
            raise ProblemError(f"floor + gain: {most:g} given; a probability must not exceed 1")
        if abs((total := float(self.shares.sum())) - 1) > SHARE_TOLERANCE:
            raise ProblemError(f"shares: they sum to {total:g}; they must sum to 1")
        if (self.max_tokens % 1).any():
            raise ProblemError("max_tokens: whole numbers are wanted")
        if (least := self.arrivals_per_s * dot(self.shares, self.base_s)) >= self.capacity:
            raise UnstableError(
                f"utilisation is {least:.3g} even without thinking; it must stay below {self.capacity:g}: "
                f"{self.arrivals_per_s:g} arrivals/s of {dot(self.shares, self.base_s):g} s each"
            )

    @property
    def num_types(self) -> int:
        return len(self.shares)


def _check_finite(name: str, value: Floats | float) -> None:
    values = np.asarray(value)
    if not (finite := np.isfinite(values)).all():
        raise ProblemError(f"{name}: {values[~finite][0]:g} given; a finite number is wanted")
    if (values < 0).any():
        raise ProblemError(f"{name}: {values.min():g} given; it must not be negative")
    if (values > LARGEST).any():
        raise ProblemError(f"{name}: {values.max():g} given; it must not exceed {LARGEST:g}")


def _check_shapes(problem: Problem) -> None:
    arrays = {f.name: getattr(problem, f.name) for f in fields(problem) if f.type is Floats}
    shape = problem.shares.shape
    if len(shape) != 1 or not shape[0]:
        raise ProblemError(f"shares: shape {shape} given; one row with at least one task type is wanted")
    for name, values in arrays.items():
        if values.shape != shape:
            raise ProblemError(f"{name}: shape {values.shape} given; shares has {shape}")
