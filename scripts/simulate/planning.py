"""How many replicas of which model for a time to the right answer, by simulating clusters with the same traffic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from profiles.schema import Profile
from scripts.simulate.run import scene
from scripts.simulate.settings import SettingsError, SimulationSettings
from scripts.simulate.summary import Summary

Measure = Literal["mean", "p95"]
Counts = tuple[int, ...]
# With so little of the traffic, requests meet nobody.
_IDLE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit on the time to the right answer over the solved requests."""

    measure: Measure
    limit_s: float
    max_replicas: int

    def value_s(self, found: Summary) -> float:
        value = found.solved_ttca.mean_s if self.measure == "mean" else found.solved_ttca.p95_s
        return float("inf") if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cheapest cluster found, `replicas` empty where none reaches the target; `why` says what stands in the way.

    A model with 0 replicas is left out. `idle_s` is the same figure where no request meets another.
    """

    replicas: Mapping[str, int]
    cost: float
    value_s: float
    idle_s: float
    found: Summary
    simulated: int
    why: str = ""


def plan(settings: SimulationSettings, profile: Profile, target: Target, costs: Mapping[str, float]) -> Plan:
    """Search with the first policy of the settings; a local optimum, as replicas change one or two at a time.

    Raises SettingsError where a cost is named for a model that is not there.
    """
    models = tuple(settings.chosen(profile))
    if unknown := sorted(costs.keys() - set(models)):
        raise SettingsError(f"costs: unknown models {unknown}; known: {list(models)}")
    trials = _Trials(settings, profile, models, target)
    price = [costs.get(name, 1.0) for name in models]
    idle = trials.idle()
    ample = (target.max_replicas,) * len(models)
    if not trials.meets(ample):
        return _out_of_reach(trials, ample, idle, price)
    start = (_least(lambda k: trials.meets((k,) * len(models)), 1, target.max_replicas),) * len(models)
    ascending = sorted(range(len(models)), key=lambda m: price[m])
    ends = [_improve(start, order, price, trials) for order in (ascending, ascending[::-1])]
    best = min(ends, key=lambda counts: (_cost(counts, price), trials.value_s(counts)))
    return Plan(
        replicas=dict(zip(models, best, strict=True)),
        cost=_cost(best, price),
        value_s=trials.value_s(best),
        idle_s=target.value_s(idle),
        found=trials.at(best),
        simulated=len(trials.known),
    )


class _Trials:
    """Simulated clusters by their replica counts, each simulated once."""

    def __init__(self, settings: SimulationSettings, profile: Profile, models: tuple[str, ...], target: Target) -> None:
        self._settings, self._profile, self._models, self.target = settings, profile, models, target
        self.known: dict[Counts, Summary] = {}

    def at(self, counts: Counts) -> Summary:
        found = self.known.get(counts)
        if found is None:
            found = self.known[counts] = self._play(self._settings, counts)
        return found

    def value_s(self, counts: Counts) -> float:
        return self.target.value_s(self.at(counts))

    def meets(self, counts: Counts) -> bool:
        return any(counts) and self.value_s(counts) <= self.target.limit_s

    def idle(self) -> Summary:
        """One of each model, and next to no traffic."""
        rate = self._settings.rate_per_s
        few = {"concurrency": 1} if rate is None else {"rate_per_s": rate * _IDLE}
        alone = self._settings.model_copy(update={"trace": None, **few})
        return self._play(alone, (1,) * len(self._models))

    def _play(self, settings: SimulationSettings, counts: Counts) -> Summary:
        replicas = {name: many for name, many in zip(self._models, counts, strict=True) if many}
        made, policy = scene(settings, self._profile, replicas), settings.policies[0]
        return made.summaries({policy: made.play(policy)})[0]


def _improve(start: Counts, order: list[int], price: list[float], trials: _Trials) -> Counts:
    """Take replicas away model by model, then change one for a cheaper one, as long as anything gets cheaper."""
    counts = start
    while True:
        before = counts
        for model in order:
            fewest = _least(lambda k, m=model, c=counts: trials.meets(_set(c, m, k)), 0, counts[model])  # type: ignore[misc]
            counts = _set(counts, model, fewest)
        counts = _swapped(counts, price, trials)
        if counts == before:
            return counts


def _swapped(counts: Counts, price: list[float], trials: _Trials) -> Counts:
    for away in range(len(counts)):
        for more in range(len(counts)):
            if away == more or not counts[away] or price[more] >= price[away]:
                continue
            other = _set(_set(counts, away, counts[away] - 1), more, counts[more] + 1)
            if max(other) <= trials.target.max_replicas and trials.meets(other):
                return other
    return counts


def _least(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number in [low, high] for which it holds, if it holds from one on; it does at `high`."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _out_of_reach(trials: _Trials, ample: Counts, idle: Summary, price: list[float]) -> Plan:
    target = trials.target
    idle_s, ample_s = target.value_s(idle), trials.value_s(ample)
    of = f"{target.measure} of {target.limit_s:g} s"
    if idle_s > target.limit_s:
        why = (
            f"a {of} is out of reach with any number of replicas: on idle engines it is {idle_s:.3g} s, "
            f"for {idle.attempts:.2f} attempts a request; faster or more accurate models are needed"
        )
    else:
        why = (
            f"a {of} takes more than {target.max_replicas} replicas of each model: with so many it is {ample_s:.3g} s, "
            f"on idle engines {idle_s:.3g} s"
        )
    return Plan(
        replicas={},
        cost=_cost(ample, price),
        value_s=ample_s,
        idle_s=idle_s,
        found=trials.at(ample),
        simulated=len(trials.known),
        why=why,
    )


def _set(counts: Counts, model: int, many: int) -> Counts:
    return (*counts[:model], many, *counts[model + 1 :])


def _cost(counts: Counts, price: list[float]) -> float:
    return sum(many * each for many, each in zip(counts, price, strict=True))
