"""Asking a model now and then because little is known of it, so that chances that have become better are noticed."""

import numpy as np
from numpy.typing import NDArray

from deployments.router.settings import Learning
from profiles.chances.online import Learner

# Of the requests that the budget has room for, this share explores, so that they do not come at equal distances.
_SPENT_SHARE = 0.25
_MOST_SAVED = 2.0


class Exploration:
    """Spends at most `explore_share` of the requests; without a learner none."""

    def __init__(self, learner: Learner | None, learning: Learning) -> None:
        self._learner = learner
        self._rng = np.random.default_rng(learning.seed)
        self._share = learning.explore_share if learner is not None else 0.0
        self._saved = 0.0

    def spend(self) -> bool:
        """Whether to explore with one more request: at random, as far as the budget goes."""
        self._saved = min(_MOST_SAVED, self._saved + self._share)
        if self._saved < 1 or self._rng.random() >= _SPENT_SHARE:
            return False
        self._saved -= 1
        return True

    def draw(self, task: str, language: str, buckets: NDArray[np.intp]) -> NDArray[np.float64]:
        """Chances drawn from what is believed, so that the less is known of a model the more it is tried."""
        assert self._learner is not None
        drawn = self._learner.draw(self._rng, task=task, language=language)
        return np.asarray(drawn[np.arange(len(buckets)), buckets])
