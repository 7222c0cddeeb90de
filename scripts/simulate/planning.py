"""How many replicas of which model for a time to the right answer, by simulating clusters with the same traffic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from profiles.profile import Profile
from scripts.simulate.core.cluster import MAX_REPLICAS
from scripts.simulate.settings import SettingsError, SimulationSettings
from scripts.simulate.trials import Counts, Members, PlanTarget, Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """The cheapest cluster found; a model with 0 replicas is left out.

    `value_s` and `success` are without the first tenth of the requests; `idle_s` is the same figure where no request
    meets another.
    """

    replicas: Mapping[str, int]
    cost: float
    value_s: float
    idle_s: float
    success: float
    min_success: float
    attempts: float
    busy: Mapping[str, float]
    simulated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPlan:
    """Why nothing reaches the target."""

    why: str
    simulated: int


def plan(
    settings: SimulationSettings, profile: Profile, target: PlanTarget, costs: Mapping[str, float]
) -> ClusterPlan | NoPlan:
    """Search with the first policy of the settings; a local optimum, as replicas change one or two models at a time.

    Raises SettingsError where a cost is named for a model that is not there, and where the traffic is too short.
    """
    models = tuple(settings.chosen(profile))
    if unknown := sorted(costs.keys() - set(models)):
        raise SettingsError(f"costs: unknown models {unknown}; known: {list(models)}")
    if (most := target.max_replicas * len(models)) > MAX_REPLICAS:
        raise SettingsError(f"{target.max_replicas} replicas of {len(models)} models: {most}; at most {MAX_REPLICAS}")
    trials = Trials(settings, profile, models, target)
    if not trials.can_answer:
        return NoPlan(why="no model solves any request", simulated=0)
    tried = _alone_and_all(len(models))
    if not (starts := _starts(tried, trials)):
        more = _fewer_and_fewer(trials)
        tried += more
        starts = _starts(more, trials)
    return _cheapest(starts, [costs.get(name, 1.0) for name in models], trials) if starts else _refusal(tried, trials)


def _cheapest(starts: Sequence[Counts], price: list[float], trials: Trials) -> ClusterPlan:
    ascending = sorted(range(len(price)), key=lambda m: price[m])
    ends = [_improve(start, order, price, trials) for start in starts for order in (ascending, ascending[::-1])]
    best = min(ends, key=lambda counts: (_cost(counts, price), trials.at(counts).value_s))
    found = trials.at(best)
    return ClusterPlan(
        replicas=dict(zip(trials.models, best, strict=True)),
        cost=_cost(best, price),
        value_s=found.value_s,
        idle_s=trials.idle(tuple(map(bool, best))).value_s,
        success=found.success,
        min_success=trials.min_success,
        attempts=found.attempts,
        busy=found.busy,
        simulated=len(trials.known),
    )


# -- where to start ---------------------------------------------------------------------------------------


def _alone_and_all(size: int) -> list[Members]:
    alone = [tuple(row == model for row in range(size)) for model in range(size)]
    return [(True,) * size, *alone] if size > 1 else alone


def _fewer_and_fewer(trials: Trials) -> list[Members]:
    """From all models down to two, each time without the one whose absence brings most on idle engines."""
    members: Members = (True,) * len(trials.models)
    found = []
    while sum(members) > 2:
        without = [
            tuple(is_in and other != model for other, is_in in enumerate(members))
            for model, is_in in enumerate(members)
            if is_in
        ]
        members = min(without, key=lambda fewer: trials.idle(fewer).value_s)
        found.append(members)
    return found


def _starts(sets: Sequence[Members], trials: Trials) -> list[Counts]:
    """The fewest replicas, equally many of each model, of those sets that reach the target."""
    most = trials.target.max_replicas

    def fewest_of(members: Members) -> Counts:
        return _each(members, _least(lambda many: trials.meets(_each(members, many)), 1, most))

    return [fewest_of(members) for members in sets if trials.meets(_each(members, most))]


# -- the search -------------------------------------------------------------------------------------------


def _improve(start: Counts, order: list[int], price: list[float], trials: Trials) -> Counts:
    """Take replicas away model by model, then exchange some for cheaper ones, as long as anything gets cheaper."""
    counts = start
    while True:
        before = counts
        for model in order:
            counts = _set(counts, model, fewest(counts, model, trials))
        counts = exchanged(counts, price, trials)
        if counts == before:
            return counts


def fewest(counts: Counts, model: int, trials: Trials) -> int:
    """None at all is no step of the scale 1, 2, ...: without a model the router chooses among others."""
    if not counts[model] or trials.meets(_set(counts, model, 0)):
        return 0
    return _least(lambda many: trials.meets(_set(counts, model, many)), 1, counts[model])


def exchanged(counts: Counts, price: list[float], trials: Trials) -> Counts:
    """One more replica of a model for as many of another as make it cheaper, or for all of them."""
    for away, more in permutations(range(len(counts)), 2):
        if price[more] >= counts[away] * price[away]:
            continue
        fewest = int(price[more] / price[away]) + 1
        for many in sorted({min(fewest, counts[away]), counts[away]}):
            other = _set(_set(counts, away, counts[away] - many), more, counts[more] + 1)
            is_cheaper = _cost(other, price) < _cost(counts, price)
            if is_cheaper and other[more] <= trials.target.max_replicas and trials.meets(other):
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


# -- what stands in the way -------------------------------------------------------------------------------


def _refusal(tried: Sequence[Members], trials: Trials) -> NoPlan:
    target, floor = trials.target, trials.min_success
    right = [members for members in tried if trials.idle(members).success >= floor]
    if not right:
        surest = max(tried, key=lambda members: trials.idle(members).success)
        why = (
            f"a success of {floor:.3f} is out of reach with any number of replicas: of {len(tried)} sets of models "
            f"{_names(surest, trials)} solves most, {trials.idle(surest).success:.3f}"
        )
        return NoPlan(why=why, simulated=len(trials.known))
    quickest = min(right, key=lambda members: trials.idle(members).value_s)
    idle, of = trials.idle(quickest), f"{target.measure} of {target.limit_s:g} s with a success of {floor:.3f}"
    if idle.value_s > target.limit_s:
        why = (
            f"a {of} is out of reach with any number of replicas: of {len(tried)} sets of models "
            f"{_names(quickest, trials)} is the fastest, on idle engines {idle.value_s:.3g} s for "
            f"{idle.attempts:.2f} attempts a request; faster or more accurate models are needed"
        )
    else:
        ample = trials.at(_each(quickest, target.max_replicas))
        grows = ", and longer and longer" if ample.is_growing else ""
        why = (
            f"a {of} takes more than {target.max_replicas} replicas of each model: with this number of "
            f"{_names(quickest, trials)} it is {ample.value_s:.3g} s{grows}, with a success of {ample.success:.3f}; "
            f"on idle engines {idle.value_s:.3g} s"
        )
    return NoPlan(why=why, simulated=len(trials.known))


def _names(members: Members, trials: Trials) -> str:
    return " and ".join(name for name, is_in in zip(trials.models, members, strict=True) if is_in)


def _each(members: Members, many: int) -> Counts:
    return tuple(many if is_in else 0 for is_in in members)


def _set(counts: Counts, model: int, many: int) -> Counts:
    return (*counts[:model], many, *counts[model + 1 :])


def _cost(counts: Counts, price: list[float]) -> float:
    return sum(many * each for many, each in zip(counts, price, strict=True))
