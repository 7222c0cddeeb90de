"""What verdicts of live traffic change about a profile's estimates: deviations in log-odds, learned and forgotten."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import tanh
from typing import Self

import numpy as np
from scipy.special import expit, logit

from profiles.cell import Cell
from profiles.chances.capability import Capability, Estimate, Tables
from profiles.chances.drift import Alarm, Drift
from profiles.chances.joint import MIN_DIVISOR, divided
from profiles.chances.logistic import Floats, Ints
from profiles.chances.shares import Shares
from profiles.chances.trust import Trust, Trusts

DEFAULT_HALF_LIFE_VERDICTS = 1000.0
# How far live traffic may be from the profile, standard deviations in log-odds: of a model as a whole, and of a model
# on one task, in one language, at one length. A cell's own is that of its estimate.
MODEL_SCALE = 0.8
PART_SCALE = 0.3
CELL_SCALES = (0.05, 2.0)
# How much less likely a model is to be right after another's wrong answer, where no pair was measured: failures go
# together more often than not, and how much is not known.
AFTER_FAILURE_SHIFT, AFTER_FAILURE_SCALE = -0.7, 2.0
# Once a model is in doubt the uncertainty of its deviations is this multiple of the initial one.
DOUBT_WIDENING = 6.0
# One verdict moves no chance further than `MOST_MOVED` whose interval in the profile is no wider than `WELL_PROFILED`.
# Others may have to be learned quickly.
WELL_PROFILED, MOST_MOVED = 0.15, 0.05
# Fewer keys than can be held against one another move chances for other tenants no further, in log-odds.
MOST_ALONE = 0.5
QUANTILE = 1.959964
SURE = 1e-6
# A table that has missed more verdicts than this is made anew.
_MOST_MISSED = 64
NOTHING_MEASURED = Trusts()


@dataclass(slots=True)
class _Level:
    """Independent Gaussian deviations, shape (models, 1) or (models, buckets); all begin with the mean `first`."""

    prior: Floats
    mean: Floats
    variance: Floats
    first: float

    @classmethod
    def of(cls, prior: Floats, *, mean: float = 0.0) -> Self:
        return cls(prior=prior, mean=np.full_like(prior, mean), variance=prior.copy(), first=mean)

    def begin(self) -> None:
        self.mean[:], self.variance[:] = self.first, self.prior

    def place(self, row: int, bucket: int) -> tuple[int, int]:
        return row, min(bucket, self.mean.shape[1] - 1)

    def forget(self, at: tuple[int, int], share: float) -> float:
        """Let the variance go back by a share toward where it began; what it is then."""
        kept, gone = (1 - share) / self.variance.item(at), share / self.prior.item(at)
        self.variance[at] = found = 1 / (kept + gone)
        return found


@dataclass(slots=True, kw_only=True)
class _Table:
    """What is known of one task and language: the profile's `offline`, the levels that change it, and both together.

    `values` are the chances after `version` verdicts.
    """

    task: str
    offline: Tables
    log_odds: Floats
    levels: tuple[_Level, ...]
    values: Floats
    version: int

    def log_odds_of(self, rows: int | slice) -> Floats:
        found: Floats = self.log_odds[rows].copy()
        for level in self.levels:
            found += level.mean[rows]
        return found

    def variance_of(self, rows: int | slice) -> Floats:
        return np.asarray(sum(level.variance[rows] for level in self.levels))


_ALL = slice(None)


class Learner:
    """A capability that learns. Not thread-safe; takes constant time per verdict.

    A verdict is one step of an extended Kalman filter on the deviations of its model, model and task, model and
    language, model and length, and cell, each taken to be independent of the others. Before it their variances go
    back toward where they began, so that old verdicts count for half after `half_life_verdicts` of their own kind.
    """

    def __init__(
        self,
        capability: Capability,
        models: Sequence[str],
        *,
        half_life_verdicts: float = DEFAULT_HALF_LIFE_VERDICTS,
        trusts: Trusts = NOTHING_MEASURED,
    ) -> None:
        self._capability, self._trusts = capability, trusts
        self.models = tuple(models)
        self._rows = {model: row for row, model in enumerate(models)}
        self._forgotten = 1 - 0.5 ** (1 / half_life_verdicts)
        shape = (len(models), capability.num_buckets)
        self._by_model = _Level.of(np.full((len(models), 1), MODEL_SCALE**2))
        self._by_length = _Level.of(np.full(shape, PART_SCALE**2))
        self._after_failure = _Level.of(np.full((len(models), 1), AFTER_FAILURE_SCALE**2), mean=AFTER_FAILURE_SHIFT)
        self._by_task: dict[str, _Level] = {}
        self._by_language: dict[str, _Level] = {}
        self._by_cell: dict[tuple[str, str], _Level] = {}
        self._version = 0
        # after how many verdicts each model was last heard of
        self._heard_of = np.zeros(len(models), dtype=np.intp)
        # the rows of the latest verdicts
        self._changed: deque[int] = deque(maxlen=_MOST_MISSED)
        self._tables: dict[tuple[str, str], _Table] = {}
        self._shares = Shares(kept=1 - self._forgotten)
        self.drift = Drift()

    def table(self, *, task: str, language: str) -> Floats:
        """Chances of all models at every length, shape (models, buckets); to be read at once, not kept."""
        table = self._table(task, language)
        if missed := self._version - table.version:
            rows = set(islice(reversed(self._changed), missed)) if missed <= len(self._changed) else (_ALL,)
            for row in rows:
                table.values[row] = expit(table.log_odds_of(row))
            table.version = self._version
        return table.values

    def bounded(self, chances: Floats, tenant: str, *, task: str, language: str, buckets: Ints) -> Floats:
        """What a tenant goes by of these chances, one for each model at its bucket.

        Too few keys to tell a liar move the chances of others by `MOST_ALONE` against the profile. A tenant that taught
        most of it goes by all of it.
        """
        if not self._shares.is_of_others(tenant):
            return chances
        log_odds = self._table(task, language).log_odds[np.arange(len(buckets)), buckets]
        return np.clip(chances, expit(log_odds - MOST_ALONE), expit(log_odds + MOST_ALONE))

    def draw(self, rng: np.random.Generator, *, task: str, language: str) -> Floats:
        """The same chances drawn from what is believed of them (Thompson sampling).

        Of a model that was not heard of for long the profile counts for more and more: it may have changed meanwhile.
        """
        table = self._table(task, language)
        kept = ((1 - self._forgotten) ** (self._version - self._heard_of))[:, None]
        log_odds = table.log_odds + kept * (table.log_odds_of(_ALL) - table.log_odds)
        prior = np.asarray(sum(level.prior for level in table.levels))
        scale = np.sqrt(prior + kept**2 * (table.variance_of(_ALL) - prior))
        return np.asarray(expit(log_odds + scale * rng.standard_normal(scale.shape)))

    def tables(self, models: Sequence[str], *, task: str, language: str) -> Tables:
        """Chances of these models at every length and their 95 % intervals, as of now."""
        table, rows = self._table(task, language), [self._rows[model] for model in models]
        log_odds = table.log_odds_of(_ALL)[rows]
        reach = QUANTILE * np.sqrt(table.variance_of(_ALL)[rows])
        return Tables(probability=expit(log_odds), low=expit(log_odds - reach), high=expit(log_odds + reach))

    def estimate(self, model: str, cell: Cell) -> Estimate:
        """One chance and its 95 % interval as of now."""
        table, row = self._table(cell.task, cell.language), self._rows[model]
        log_odds = table.log_odds_of(row).item(cell.bucket)
        reach = QUANTILE * float(np.sqrt(table.variance_of(row)[cell.bucket]))
        offline = self._capability.estimate(model, cell)
        return Estimate(
            probability=float(expit(log_odds)),
            low=float(expit(log_odds - reach)),
            high=float(expit(log_odds + reach)),
            is_extrapolated=offline.is_extrapolated,
        )

    def observe(
        self,
        model: str,
        cell: Cell,
        *,
        correct: bool | None,
        check: str | None = None,
        failed: Iterable[str] = (),
        tenant: str = "",
        beside: tuple[str, bool | None] | None = None,
    ) -> list[Alarm]:
        """Learn from a verdict; the drift alarms that start with it. None is for an answer that could not be judged.

        `check` names the check that gave it, where it is one that errs: what it says counts for as much as it was
        measured to be worth. `failed`: models that were wrong on the same request before, after which a wrong answer
        is no surprise. Where no pair was measured that says how much less of one, the verdict tells first of that, and
        only then of the model. `tenant` says whose verdict it is: one that has said more of the model than the others
        teaches no more. `beside` is a check that has judged the same answer before, with what it said: if that was
        learned, this is not.
        """
        trust = self._trusts.that_teaches(check, correct, cell.language)
        if trust is None or (beside is not None and self._trusts.that_teaches(*beside, cell.language) is not None):
            return []
        if self._shares.begin_anew_with(tenant):
            self._begin_anew()
        weight = self._shares.weigh(tenant, model)
        if not weight:
            return []
        failed = tuple(failed)
        is_after = bool(failed) and not self._capability.has_pairs((*failed, model))
        table, row, bucket = self._table(cell.task, cell.language), self._rows[model], cell.bucket
        places = [(level, level.place(row, bucket)) for level in table.levels]
        now = _chance(table.log_odds.item(row, bucket) + sum(level.mean.item(at) for level, at in places))
        divisor = max(1 + self._burden(model, failed, cell.task), MIN_DIVISOR)
        offline = [
            chances.item(row, bucket) for chances in (table.offline.probability, table.offline.low, table.offline.high)
        ]
        expected, probability, low, high = (divided(chance, divisor) for chance in (now, *offline))
        if is_after:
            expected = float(expit(logit(expected) + min(0.0, self._after_failure.mean[row, 0])))
        bounded = now if offline[2] - offline[1] <= WELL_PROFILED else None
        self._step(places, row, expected, trust, correct, is_after=is_after, weight=weight, now=bounded)
        alarms: list[Alarm] = []
        if weight == 1:
            was_doubtful = self.drift.is_doubtful(model, table.task)
            alarms = self.drift.observe(
                model=model,
                task=table.task,
                probability=probability,
                low=low,
                high=high,
                likelihood=trust.of[correct],
                is_at_most=is_after,
                key=tenant if self._shares.is_beside_others(tenant, model) else None,
            )
            if self.drift.is_doubtful(model, table.task) and not was_doubtful:
                self._widen(row)
        self._changed.append(row)
        self._version += 1
        if correct is None or correct is (expected >= 0.5):
            # what contradicts the belief makes it no surer: the model is drawn again soon
            self._heard_of[row] = self._version
        return alarms

    def _step(
        self,
        own: list[tuple[_Level, tuple[int, int]]],
        row: int,
        expected: float,
        trust: Trust,
        said: bool | None,
        *,
        is_after: bool,
        weight: float,
        now: float | None,
    ) -> None:
        """One step of the filter, along the derivative of the verdict's likelihood by the log-odds.

        `own` are the deviations that make the chance. The verdict counts for `weight`, and for less where it would move
        the chance too far from what it is `now`.
        """
        # others' failures make no right answer likelier: beyond that it is the model that is better than was believed
        is_told = is_after and not (said and self._after_failure.mean[row, 0] >= 0)
        beside = [(self._after_failure, (row, 0))] if is_told else []
        # what hardly counts lets hardly anything be forgotten
        forgotten = self._forgotten if weight == 1 else 1 - (1 - self._forgotten) ** weight
        variances = [[level.forget(at, forgotten) for level, at in places] for places in (own, beside)]
        slope = expected * (1 - expected)
        surprise, information = 0.0, 0.0
        for verdict, likelihood in trust.of.items():
            chance = expected * likelihood.if_right + (1 - expected) * likelihood.if_wrong
            if chance > 0:
                pull = slope * (likelihood.if_right - likelihood.if_wrong)
                information += pull * pull / chance
                surprise = pull / chance if verdict is said else surprise
        sums = [sum(found) for found in variances]
        if now is not None:
            weight = min(weight, _most_moved(now, surprise) / max(abs(surprise) * sums[0], SURE))
        surprise, information = weight * surprise, weight * information
        damping = 1 + information * sum(sums)
        for places, found, together in zip((own, beside), variances, sums, strict=True):
            # what is known of their sum; taken one by one they would each be known less well, and so forget it
            kept = 1 - information * together / damping
            for (level, at), variance in zip(places, found, strict=True):
                level.mean[at] = level.mean.item(at) + variance * surprise / damping
                level.variance[at] = variance * kept

    def _begin_anew(self) -> None:
        """Go back to the profile, as what too few keys taught was not held against others."""
        for level in (*self._deviations(), self._after_failure):
            level.begin()
        self._tables.clear()
        self.drift = Drift()

    def _widen(self, row: int) -> None:
        for level in self._deviations():
            level.variance[row] = DOUBT_WIDENING * level.prior[row]

    def _deviations(self) -> Iterator[_Level]:
        yield from (self._by_model, self._by_length)
        for levels in (self._by_task, self._by_language, self._by_cell):
            yield from levels.values()

    def _burden(self, model: str, failed: Iterable[str], task: str) -> float:
        known = list(dict.fromkeys(failed))
        return float(self._capability.burdens([*known, model], task=task)[:-1, -1].sum()) if known else 0.0

    def _table(self, task: str, language: str) -> _Table:
        """What is known of a task and language; its values may be those of earlier verdicts."""
        key = self._capability.known(task, language)
        return self._tables.get(key) or self._tables.setdefault(key, self._new_table(*key))

    def _new_table(self, task: str, language: str) -> _Table:
        offline = self._capability.tables(self.models, task=task, language=language)
        levels = (
            self._by_model,
            self._by_length,
            self._level_of(task, None),
            self._level_of(None, language),
            self._level_of(task, language),
        )
        table = _Table(
            task=task,
            offline=offline,
            log_odds=logit(offline.probability),
            levels=levels,
            values=np.empty_like(offline.probability),
            version=self._version,
        )
        table.values[:] = expit(table.log_odds_of(_ALL))
        return table

    def _level_of(self, task: str | None, language: str | None) -> _Level:
        part = np.full((len(self.models), 1), PART_SCALE**2)
        if language is None:
            assert task is not None
            return self._by_task.get(task) or self._by_task.setdefault(task, _Level.of(part))
        if task is None:
            return self._by_language.get(language) or self._by_language.setdefault(language, _Level.of(part))
        found = self._by_cell.get((task, language))
        if found is None:
            tables = self._capability.tables(self.models, task=task, language=language)
            reach = logit(np.clip(tables.high, SURE, 1 - SURE)) - logit(np.clip(tables.low, SURE, 1 - SURE))
            found = _Level.of(np.clip(reach / (2 * QUANTILE), *CELL_SCALES) ** 2)
            self._by_cell[task, language] = found
        return found


def _chance(log_odds: float) -> float:
    return (1 + tanh(log_odds / 2)) / 2


def _most_moved(chance: float, surprise: float) -> float:
    """How far the log-odds may move toward the surprise."""
    reached = min(1 - SURE, max(SURE, chance + (MOST_MOVED if surprise > 0 else -MOST_MOVED)))
    return abs(float(logit(reached) - logit(chance)))
