"""Which model would be right: as recorded, or drawn from a profile with failures that go together."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from deployments.router.choice.chances import Chances
from profiles.arrays import Floats
from profiles.cell import Buckets
from profiles.chances.capability import Capability
from profiles.chances.joint import after
from profiles.measuring.measurement import Record
from profiles.profile import Profile
from scripts.simulate.core.router import FROZEN
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic

# From failures that go together as much as they can to next to independent ones, in so many halvings (of logs).
_LEAST_B, _MOST_B, _HALVINGS = 0.02, 300.0, 9
# How easy a prompt is, in equally likely steps: no chance is off by more than half of one. Fewer do to find b.
_EASES, _FEW_EASES = 512, 64
# Requests drawn at a time: some 10 MB.
_CHUNK = 1 << 16


class Truth(Protocol):
    def is_right(self, request: int, prompt: SimulatedPrompt, model: int) -> bool:
        """Whether the model's answers to the request are right, at temperature 0 all of them alike."""
        ...


class RecordedTruth:
    """What was seen of every prompt on every model, at temperature 0 the same each time."""

    def __init__(self, records: Sequence[Record], models: Sequence[str]) -> None:
        rows = {name: row for row, name in enumerate(models)}
        self._right = {(r.prompt_id, rows[r.model]): r.correct for r in records if r.model in rows}

    def is_right(self, request: int, prompt: SimulatedPrompt, model: int) -> bool:
        return self._right[prompt.id, model]


class DrawnTruth:
    """A table of who is right on which request, drawn before anyone is asked: in whatever order, the answers are these.

    Given how easy a prompt is the models answer independently. Over prompts the chance of each is beta(a, b)
    distributed with the mean that the profile says, an easy prompt being easy for all. b is the same for all models
    and chosen for each kind of prompt, so that two of them fail together as often, over all pairs, as the profile's
    burdens say. For models that are alike this is the model that makes `joint.after` exact.

    Luck belongs to the request and to the model's place in the profile, whatever other models there are.
    `capability` is the profile's if it has been fitted already.
    """

    def __init__(
        self,
        profile: Profile,
        models: Sequence[str],
        traffic: Traffic,
        *,
        seed: int,
        capability: Capability | None = None,
    ) -> None:
        beliefs = Chances(profile, models, FROZEN, capability=capability)
        wrong, together = _failures(beliefs, profile.buckets, traffic.prompts)
        by_ease = _by_ease(wrong, _common_b(wrong, together), _EASES)
        places = {name: 1 + place for place, name in enumerate(profile.models)}
        columns = [places[name] for name in models]
        rng = np.random.default_rng(seed)
        self.right: NDArray[np.bool_] = np.empty((len(traffic), len(models)), dtype=np.bool_)
        for start in range(0, len(traffic), _CHUNK):
            kinds = traffic.order[start : start + _CHUNK]
            luck = rng.random((len(kinds), 1 + len(places)))
            eases = (luck[:, 0] * _EASES).astype(np.intp)
            self.right[start : start + _CHUNK] = luck[:, columns] >= by_ease[kinds, eases]
        self.answerable: NDArray[np.bool_] = np.any(self.right, axis=1)

    def is_right(self, request: int, prompt: SimulatedPrompt, model: int) -> bool:
        return bool(self.right[request, model])


def _failures(beliefs: Chances, lengths: Buckets, prompts: Sequence[SimulatedPrompt]) -> tuple[Floats, Floats]:
    """For each prompt the chance of each model to be wrong, and those of two to be wrong added up over all pairs."""
    count = len(beliefs.models)
    wrong, together = np.empty((len(prompts), count)), np.empty(len(prompts))
    for row, prompt in enumerate(prompts):
        buckets = np.array([lengths.of(int(tokens)) for tokens in prompt.prompt_tokens])
        chances = beliefs.probabilities(prompt.task, prompt.language, buckets)
        joint = beliefs.joint(prompt.task)
        then_wrong = 1 - after(chances, np.zeros((count, 1)) if joint is None else joint.burdens)
        wrong[row] = 1 - chances
        together[row] = _over_pairs(wrong[row][:, None] * then_wrong)
    return wrong, together


def _common_b(wrong: Floats, together: Floats) -> Floats:
    """The b of each prompt at which two models fail together so often; the larger it is, the less they do."""
    low, high = np.full(len(wrong), np.log(_LEAST_B)), np.full(len(wrong), np.log(_MOST_B))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        by_ease = _by_ease(wrong, np.exp(middle), _FEW_EASES)
        is_more = _over_pairs(by_ease.transpose(0, 2, 1) @ by_ease / _FEW_EASES) > together
        low, high = np.where(is_more, middle, low), np.where(is_more, high, middle)
    found: Floats = np.exp(high)
    return found


def _by_ease(wrong: Floats, b: Floats, count: int) -> Floats:
    """The chances to be wrong, shape (prompts, eases, models), from the hardest to the easiest."""
    a = b[:, None] * (1 - wrong) / wrong
    easier = (np.arange(count) + 0.5) / count
    chances: Floats = 1 - betaincinv(a[:, None, :], b[:, None, None], easier[:, None])
    return chances


def _over_pairs(square: Floats) -> Floats:
    """The sum of what is off the diagonal of the last two axes."""
    total: Floats = square.sum(axis=(-2, -1)) - np.trace(square, axis1=-2, axis2=-1)
    return total
