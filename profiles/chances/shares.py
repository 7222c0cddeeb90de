"""How much of what is learned of a model may come from one key, so that no key decides for the others."""

from collections import OrderedDict
from dataclasses import dataclass, field
from statistics import median

# With fewer other keys that teach, no majority can be told from a minority.
LEAST_OTHERS = 3
# Verdicts that a key may give of a model before others have said anything of it.
FREE_VERDICTS = 5.0
MOST_KEYS = 1024
FORGOTTEN_BELOW = 0.01


@dataclass(slots=True)
class Shares:
    """Sums of weights by key and model, of which `kept` stays with every further verdict on the model."""

    kept: float
    _by_key: OrderedDict[str, dict[str, float]] = field(default_factory=OrderedDict)
    _scale: dict[str, float] = field(default_factory=dict)

    def weigh(self, key: str, model: str) -> float:
        """What one more verdict of this key on the model counts for, 0 to 1; it is counted with this.

        Where enough other keys teach as well, a key may have said of a model what the median of the others has said of
        it, and `FREE_VERDICTS` more.
        """
        mine = self._by_key.setdefault(key, {})
        self._by_key.move_to_end(key)
        if len(self._by_key) > MOST_KEYS:
            self._by_key.popitem(last=False)
        scale = self._scale.get(model, 1.0)
        weight = 1.0
        others = [said for other, said in self._by_key.items() if other != key and said]
        if len(others) >= LEAST_OTHERS:
            allowed = FREE_VERDICTS + median(said.get(model, 0.0) for said in others) / scale
            weight = min(1.0, max(0.0, allowed - mine.get(model, 0.0) / scale))
        if weight:
            self._count(mine, model, weight, scale)
        return weight

    def _count(self, mine: dict[str, float], model: str, weight: float, scale: float) -> None:
        """Instead of making all sums smaller, what comes later counts for more."""
        scale /= self.kept
        mine[model] = mine.get(model, 0.0) + weight * scale
        if scale > 1 / FORGOTTEN_BELOW:
            for said in self._by_key.values():
                if model in said:
                    said[model] /= scale
            scale = 1.0
        self._scale[model] = scale
