"""What attempts really take corrects L, by what it is made of: overhead, reading, writing, and the others there."""

from math import inf

import msgspec
import numpy as np
from scipy.special import log_ndtr

from deployments.router.latency.expected import Speeds
from profiles.arrays import Floats

# After each attempt what was learned before counts for this much.
_KEPT = 0.98
# Standard deviations, relative to L: of the profile's coefficients from the truth, and of an attempt from L.
_PROFILE_SCATTER, _ATTEMPT_SCATTER = 0.7, 0.3
# The scatter of a model's attempts counts at first as if so many had been seen.
_SCATTER_SEEN = 10.0
# An attempt that is off by more than this multiple of L counts as one that is off by that.
_ODD = 0.6
# Bounds of a correction.
_LEAST, _MOST = 0.05, 20.0
# Of attempts that end together no more than one is learned from: they tell the same, and fifty are remembered.
_LEAST_GAP_S = 0.05
# Every attempt takes this long, so that a profile without any overhead can be corrected too.
_LEAST_OVERHEAD_S = 1e-3


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt on the model in `row` is expected to take as it is sent, by the profile's coefficients.

    Writing takes `write_s` for each of `output_tokens`, and `beside_s` more for each because of the other requests
    there; `before_s` passes before it because of them.
    """

    row: int
    overhead_s: float
    read_s: float
    before_s: float
    write_s: float
    beside_s: float
    output_tokens: float

    def parts(self, output_tokens: float) -> Floats:
        """Overhead, reading, writing and what others cost, for an answer of this length."""
        others_s = self.before_s + self.beside_s * output_tokens
        return np.array([self.overhead_s + _LEAST_OVERHEAD_S, self.read_s, self.write_s * output_tokens, others_s])


class LatencyLearner:
    """Corrections of the profile's coefficients, by model; `speeds` has them, and `others` is the factor of queueing.

    Each attempt moves the logarithms of the factors to where its relative error is least (an extended Kalman filter
    that forgets); no single one counts for much. A router learns from its own attempts only: some tens are enough, they
    bring what its way to the engines takes, and nothing has to go through the log.
    """

    def __init__(self, speeds: Speeds) -> None:
        count = len(speeds.overhead_s)
        self.profiled = speeds
        self.speeds = Speeds(
            overhead_s=speeds.overhead_s.copy(),
            prefill_s_per_token=speeds.prefill_s_per_token.copy(),
            decode_s_per_token=speeds.decode_s_per_token.copy(),
            decode_growth=speeds.decode_growth,
        )
        self.writing, self.others = np.ones(count), np.ones(count)
        self.attempts = [0] * count
        self._factors = np.ones((count, 4))
        self._prior = np.eye(4) / _PROFILE_SCATTER**2
        self._information = np.tile(self._prior, (count, 1, 1))
        # forgetting sums of what was expected and of what it took
        self._seconds = np.zeros((count, 2))
        self._next_at_s = [-inf] * count
        # forgetting sums: how many attempts, and their squared logarithms of what one took over what was expected
        self._scatter = np.tile([_SCATTER_SEEN, _SCATTER_SEEN * _ATTEMPT_SCATTER**2], (count, 1))

    def expected_s(self, forecast: Forecast, output_tokens: float | None = None) -> float:
        """L with what is learned, for an answer as long as expected or as told."""
        tokens = forecast.output_tokens if output_tokens is None else output_tokens
        return float(self._factors[forecast.row] @ forecast.parts(tokens))

    def ratio(self, row: int) -> float | None:
        """What was expected of recent attempts over what they took; None before the first."""
        expected_s, took_s = self._seconds[row]
        return float(expected_s / took_s) if took_s > 0 else None

    def spread(self, row: int) -> float:
        """The deviation of the logarithms of recent attempts from that of L."""
        seen, squares = self._scatter[row]
        return float(np.sqrt(squares / seen))

    def outlived(self, forecast: Forecast, after_s: float, *, now_s: float) -> None:
        """Learn from an attempt that was cut: it would have taken what one takes that has not ended after so long.

        Without this the long ones would be left out, as those that another model overtakes are mostly long.
        """
        expected_s, spread = max(self.expected_s(forecast), _LEAST_OVERHEAD_S), self.spread(forecast.row)
        z = (np.log(expected_s / max(after_s, _LEAST_OVERHEAD_S)) - spread**2 / 2) / spread
        beyond_s = expected_s * np.exp(log_ndtr(z + spread) - log_ndtr(z))
        self._observe(forecast, max(after_s, float(beyond_s)), forecast.output_tokens, now_s)

    def observe(self, forecast: Forecast, took_s: float, *, now_s: float, output_tokens: float | None = None) -> None:
        """Learn from an attempt that was answered in full; without a count its answer was as long as expected."""
        ratio = max(took_s, _LEAST_OVERHEAD_S) / max(self.expected_s(forecast), _LEAST_OVERHEAD_S)
        tokens = forecast.output_tokens if output_tokens is None else output_tokens
        if self._observe(forecast, took_s, tokens, now_s):
            self._scatter[forecast.row] = _KEPT * self._scatter[forecast.row] + (1.0, np.log(ratio) ** 2)

    def _observe(self, forecast: Forecast, took_s: float, tokens: float, now_s: float) -> bool:
        """Whether it counts: of attempts that end together one does."""
        row = forecast.row
        if now_s < self._next_at_s[row]:
            return False
        self._next_at_s[row] = now_s + _LEAST_GAP_S
        self.attempts[row] += 1
        self._seconds[row] = _KEPT * self._seconds[row] + (self.expected_s(forecast), took_s)
        parts_s = self._factors[row] * forecast.parts(tokens)
        expected_s = float(parts_s.sum())
        # by how much L grows with the logarithm of each factor, relative to L
        slopes = parts_s / expected_s
        excess = min(_ODD, max(-_ODD, took_s / expected_s - 1)) / _ATTEMPT_SCATTER**2
        weights = np.outer(slopes, slopes) / _ATTEMPT_SCATTER**2
        self._information[row] = _KEPT * self._information[row] + (1 - _KEPT) * self._prior + weights
        step = np.linalg.solve(self._information[row], slopes * excess)
        self._factors[row] = np.clip(self._factors[row] * np.exp(step), _LEAST, _MOST)
        self._correct(row)
        return True

    def _correct(self, row: int) -> None:
        overhead, reading, writing, others = self._factors[row].tolist()
        profiled, speeds = self.profiled, self.speeds
        overhead_s = overhead * (profiled.overhead_s[row] + _LEAST_OVERHEAD_S) - _LEAST_OVERHEAD_S
        speeds.overhead_s[row] = max(0.0, overhead_s)
        speeds.prefill_s_per_token[row] = reading * profiled.prefill_s_per_token[row]
        speeds.decode_s_per_token[row] = writing * profiled.decode_s_per_token[row]
        self.writing[row], self.others[row] = writing, others
