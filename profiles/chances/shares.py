"""How much of what is learned of a model may come from one key, so that no key decides for the others."""

from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass, field

# With fewer other keys that teach, no majority can be told from a minority.
LEAST_OTHERS = 3
# Verdicts that a key may give of a model before others have said anything of it.
FREE_VERDICTS = 5.0
MOST_KEYS = 1024
FORGOTTEN_BELOW = 0.01


@dataclass(slots=True)
class Shares:
    """Sums of weights by key and model, of which `kept` stays with every further verdict on the model.

    However little that counts for: keys that have said what they may could else never say more.
    """

    kept: float
    _by_key: OrderedDict[str, dict[str, float]] = field(default_factory=OrderedDict)
    # those of each model once more, in ascending order, and together
    _sorted: dict[str, list[float]] = field(default_factory=dict)
    _totals: dict[str, float] = field(default_factory=dict)
    _scale: dict[str, float] = field(default_factory=dict)

    def begin_anew_with(self, key: str) -> bool:
        """Whether with this key there are enough, for the first time, and one of them has said more than it may now.

        All that was counted is forgotten then.
        """
        if key in self._by_key or len(self._by_key) != LEAST_OTHERS:
            return False
        # the new key has said nothing yet
        sums = ((model, sorted(said.get(model, 0.0) for said in self._by_key.values())) for model in self._sorted)
        if all(most - middle <= FREE_VERDICTS * self._scale[model] for model, (_, middle, most) in sums):
            return False
        for said in self._by_key.values():
            said.clear()
        self._sorted.clear()
        self._totals.clear()
        self._scale.clear()
        return True

    def weigh(self, key: str, model: str) -> float:
        """What one more verdict of this key on the model counts for, 0 to 1; it is counted with this.

        Where enough other keys teach as well, a key may have said of a model what the median of the others has said of
        it, and `FREE_VERDICTS` more. What the verdict says plays no part, or honest verdicts of the commoner kind would
        count for less than those of the rarer one.
        """
        mine = self._by_key.setdefault(key, {})
        self._by_key.move_to_end(key)
        if len(self._by_key) > MOST_KEYS:
            self._forget(self._by_key.popitem(last=False)[1])
        scale = self._scale.get(model, 1.0)
        weight = 1.0
        if len(self._by_key) > LEAST_OTHERS:
            allowed = FREE_VERDICTS + self._median_of_others(mine, model) / scale
            weight = min(1.0, max(0.0, allowed - mine.get(model, 0.0) / scale))
        if weight:
            self._count(mine, model, weight, scale)
        return weight

    def is_beside_others(self, key: str, model: str) -> bool:
        """Whether others have said something of the model as well."""
        others = self._totals.get(model, 0.0) - self._by_key.get(key, {}).get(model, 0.0)
        return others >= FREE_VERDICTS * self._scale.get(model, 1.0)

    def is_of_others(self, key: str) -> bool:
        """Whether most was said by others, and by too few to be held against one another."""
        if len(self._by_key) > LEAST_OTHERS:
            return False
        said = {
            name: sum(total / self._scale[model] for model, total in sums.items())
            for name, sums in self._by_key.items()
        }
        return said.get(key, 0.0) < sum(said.values()) / 2

    def _median_of_others(self, mine: dict[str, float], model: str) -> float:
        """Of the other keys, those that have said nothing of the model included."""
        said, num_others = self._sorted.get(model, []), len(self._by_key) - 1
        own = bisect_left(said, mine[model]) if model in mine else len(said)
        num_silent = num_others - len(said) + (model in mine)

        def at(place: int) -> float:
            place -= num_silent
            return 0.0 if place < 0 else said[place + (place >= own)]

        return (at((num_others - 1) // 2) + at(num_others // 2)) / 2

    def _forget(self, said: dict[str, float]) -> None:
        for model, total in said.items():
            del self._sorted[model][bisect_left(self._sorted[model], total)]
            self._totals[model] -= total

    def _count(self, mine: dict[str, float], model: str, weight: float, scale: float) -> None:
        """Instead of making all sums smaller, what comes later counts for more."""
        scale /= self.kept
        said = self._sorted.setdefault(model, [])
        before = mine.get(model, 0.0)
        if model in mine:
            del said[bisect_left(said, before)]
        mine[model] = before + weight * scale
        insort(said, mine[model])
        self._totals[model] = self._totals.get(model, 0.0) + weight * scale
        if scale > 1 / FORGOTTEN_BELOW:
            for sums in self._by_key.values():
                if model in sums:
                    sums[model] /= scale
            self._sorted[model] = [total / scale for total in said]
            self._totals[model] /= scale
            scale = 1.0
        self._scale[model] = scale
