"""What the router believes of its models: the profile's estimates, what verdicts changed, who fails together."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deployments.router.choice.objective import Joint
from deployments.router.settings import Learning
from profiles.arrays import Floats
from profiles.chances.capability import Capability
from profiles.chances.drift import Alarm
from profiles.chances.joint import MIN_DIVISOR, after
from profiles.chances.online import Learner
from profiles.chances.trust import Trusts
from profiles.profile import Profile

logger = logging.getLogger("ray.serve")

Buckets = NDArray[np.intp]

# What a model's own wrong answer adds to the divisor of its odds, where no paired outcome tells: with a chance of 0.75
# the next sample is right half the time. It is assumed.
OWN_BURDEN = 2.0
# Sets of failures of which it is known how further ones go together.
_REMEMBERED = 1 << 10
# Of the requests that the budget has room for, this share explores, so that they do not come at equal distances.
_EXPLORED_SHARE = 0.25
_MOST_SAVED = 2.0


class Chances:
    """Chances of the configured models, shape (m,) in their order; it learns if told to.

    `capability` is the profile's if it has been fitted already.
    """

    def __init__(
        self, profile: Profile, models: Sequence[str], learning: Learning, *, capability: Capability | None = None
    ) -> None:
        self.capability = capability or Capability(profile)
        self.models = tuple(models)
        self._index = {model: row for row, model in enumerate(models)}
        self._rows = np.arange(len(models))
        self.learner = (
            Learner(
                self.capability,
                models,
                half_life_verdicts=learning.half_life_verdicts,
                trusts=Trusts.of(profile.checks),
            )
            if learning.enabled
            else None
        )
        self._tables: dict[tuple[str, str], Floats] = {}
        self._joints: dict[str, Joint] = {}
        # the same object each time, by which an order remembers what it made of the chances
        self._burden = lru_cache(maxsize=_REMEMBERED)(self._added_burden)
        self._joint_after = lru_cache(maxsize=_REMEMBERED)(self._divided)

    def probabilities(self, task: str, language: str, buckets: Buckets) -> Floats:
        """Q of each model at a first attempt."""
        found: Floats = self._table(task, language)[self._rows, buckets]
        return found

    @property
    def source(self) -> Capability | Learner:
        """What is believed now of each model in each cell."""
        return self.learner or self.capability

    def after_failures(self, chances: Floats, task: str, failed: Sequence[str]) -> Floats:
        """The same chances, given that the `failed` models were wrong on this request."""
        return after(chances, self._burden(task, tuple(sorted(failed)))) if failed else chances

    def joint(self, task: str, failed: Sequence[str] = ()) -> Joint:
        """How a further wrong answer changes the chances after these."""
        joint = self._joint(task)
        return self._joint_after(joint, tuple(sorted(failed))) if failed else joint

    @property
    def drifting(self) -> set[str]:
        """Models that answer otherwise than they were profiled, on all tasks together or on one."""
        return {alarm.model for alarm in self.learner.drift.alarms} if self.learner is not None else set()

    def _table(self, task: str, language: str) -> Floats:
        if self.learner is not None:
            return self.learner.table(task=task, language=language)
        key = self.capability.known(task, language)
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = self.capability.tables(self.models, task=task, language=language).probability
        return table

    def _added_burden(self, task: str, failed: tuple[str, ...]) -> Floats:
        return _added(self._joint(task), failed)

    def _divided(self, joint: Joint, failed: tuple[str, ...]) -> Joint:
        divisor = np.maximum(1 + _added(joint, failed), MIN_DIVISOR)
        return Joint(index=self._index, burdens=joint.burdens / divisor)

    def _joint(self, task: str) -> Joint:
        task, _ = self.capability.known(task, "")
        if task not in self._joints:
            burdens = self.capability.burdens(self.models, task=task)
            own = burdens.diagonal()
            burdens = burdens - np.diag(own) + np.diag(np.where(own > 0, own, OWN_BURDEN))
            self._joints[task] = Joint(index=self._index, burdens=burdens)
        return self._joints[task]


class Exploration:
    """Asks a model now and then because little is known of it; better chances are noticed so.

    Spends at most `explore_share` of the requests; without a learner none.
    """

    def __init__(self, learner: Learner | None, learning: Learning) -> None:
        self._learner = learner
        self._rng = np.random.default_rng(learning.seed)
        self._share = learning.explore_share if learner is not None else 0.0
        self._saved = 0.0

    def spend(self) -> bool:
        """Whether to explore with one more request: at random, as far as the budget goes."""
        self._saved = min(_MOST_SAVED, self._saved + self._share)
        if self._saved < 1 or self._rng.random() >= _EXPLORED_SHARE:
            return False
        self._saved -= 1
        return True

    def draw(self, task: str, language: str, buckets: Buckets) -> Floats:
        """Chances drawn from what is believed, so that the less is known of a model the more it is tried."""
        assert self._learner is not None
        drawn = self._learner.draw(self._rng, task=task, language=language)
        return np.asarray(drawn[np.arange(len(buckets)), buckets])


def _added(joint: Joint, failed: Sequence[str]) -> Floats:
    """What these wrong answers add to each model's divisor together."""
    burden: Floats = joint.burdens[[joint.index[model] for model in failed]].sum(axis=0)
    return burden


def warn_of(alarms: Iterable[Alarm]) -> None:
    for alarm in alarms:
        logger.warning("model answers otherwise than profiled", extra=asdict(alarm))
