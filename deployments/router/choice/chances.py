"""What the router believes of its models: the profile's estimates, what verdicts changed, who fails together."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deployments.router.choice.objective import Joint
from deployments.router.settings import Learning
from profiles.arrays import Floats
from profiles.cell import Cell
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
# so many verdicts are learned in one go, about a millisecond; in between requests have their turn
SLICE = 5
# a verdict counts for a thousandth after ten half-lives; the bound on them holds for the most patient learner too
REPLAYED_HALF_LIVES = 10
MAX_REPLAYED = 100_000


@lru_cache(maxsize=4096)
def _shared(heard: "HeardVerdict") -> "HeardVerdict":
    """The same object for equal verdicts: most of those that are kept differ from few others."""
    return heard


def most_replayed(num_models: int, half_life_verdicts: float) -> int:
    """How many of the latest verdicts are worth learning again."""
    return int(min(MAX_REPLAYED, REPLAYED_HALF_LIVES * half_life_verdicts * num_models))


class HeardVerdict(NamedTuple):
    """A verdict to be learned; its fields are as in `Learner.observe`."""

    model: str
    cell: Cell
    correct: bool | None
    check: str | None = None
    failed: tuple[str, ...] = ()
    tenant: str = ""
    beside: tuple[str, bool | None] | None = None


class Chances:
    """Chances of the configured models, shape (m,) in their order; it learns if told to.

    `capability` is the profile's if it has been fitted already. Of the tenants `undone` it learns nothing.
    """

    def __init__(
        self,
        profile: Profile,
        models: Sequence[str],
        learning: Learning,
        *,
        capability: Capability | None = None,
        undone: frozenset[str] = frozenset(),
    ) -> None:
        self._profile, self._learning, self.undone = profile, learning, undone
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
        # the latest verdicts, and how many there were in all
        self._heard: deque[HeardVerdict] = deque(maxlen=most_replayed(len(models), learning.half_life_verdicts))
        self._num_heard = 0
        self._tables: dict[tuple[str, str], Floats] = {}
        self._joints: dict[str, Joint] = {}
        # the same object each time, by which an order remembers what it made of the chances
        self._burden = lru_cache(maxsize=_REMEMBERED)(self._added_burden)
        self._joint_after = lru_cache(maxsize=_REMEMBERED)(self._divided)

    def probabilities(self, task: str, language: str, buckets: Buckets, *, tenant: str | None = None) -> Floats:
        """Q of each model at a first attempt, for a tenant as far as others may teach for it."""
        found: Floats = self._table(task, language)[self._rows, buckets]
        if self.learner is None or tenant is None:
            return found
        return self.learner.bounded(found, tenant, task=task, language=language, buckets=buckets)

    @property
    def source(self) -> Capability | Learner:
        """What is believed now of each model in each cell."""
        return self.learner or self.capability

    def observe(self, heard: HeardVerdict) -> None:
        """Let a verdict change what is believed; models that begin to drift are logged."""
        for alarm in self._learn(heard):
            logger.warning("model answers otherwise than profiled", extra=asdict(alarm))

    def learn_again(self, former: "Chances", most: int) -> bool:
        """Learn at most so many further verdicts of those that `former` has; whether it knows all of them now.

        Called until it does, it believes what it would if it had been there from the first of them.
        """
        self._num_heard = max(self._num_heard, former._num_heard - len(former._heard))
        left = former._num_heard - self._num_heard
        for ago in range(left, max(0, left - most), -1):
            self._learn(former._heard[-ago])
        return self._num_heard == former._num_heard

    def undo(self, tenants: frozenset[str]) -> Iterator[None]:
        """From the end of this on believe what would be believed if these tenants had said nothing, and no others had
        been undone.

        It learns the verdicts that it has heard anew, a slice at a time; what is heard in between is learned as well.
        """
        if tenants == self.undone:
            return
        anew = Chances(self._profile, self.models, self._learning, capability=self.capability, undone=tenants)
        while not anew.learn_again(self, SLICE):
            yield
        self.learner, self.undone = anew.learner, tenants

    def _learn(self, heard: HeardVerdict) -> list[Alarm]:
        if self.learner is None:
            return []
        self._heard.append(_shared(heard))
        self._num_heard += 1
        if heard.tenant in self.undone:
            return []
        model, cell, correct, check, failed, tenant, beside = heard
        return self.learner.observe(
            model, cell, correct=correct, check=check, failed=failed, tenant=tenant, beside=beside
        )

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

    def __init__(self, chances: Chances, learning: Learning) -> None:
        self._chances = chances
        self._rng = np.random.default_rng(learning.seed)
        self._share = learning.explore_share if chances.learner is not None else 0.0
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
        learner = self._chances.learner
        assert learner is not None
        drawn = learner.draw(self._rng, task=task, language=language)
        return np.asarray(drawn[np.arange(len(buckets)), buckets])


def _added(joint: Joint, failed: Sequence[str]) -> Floats:
    """What these wrong answers add to each model's divisor together."""
    burden: Floats = joint.burdens[[joint.index[model] for model in failed]].sum(axis=0)
    return burden
