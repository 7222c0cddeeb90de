"""What an order of attempts brings on recorded outcomes: seconds, attempts and work until the first right answer."""

from dataclasses import dataclass

import numpy as np

from profiles.arrays import Floats
from scripts.replay.recorded.outcomes import Bools, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Of the models of a pool (rows) to prompts (columns), all of them recorded."""

    correct: Floats
    seconds: Floats
    usd: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlayedPrompts:
    """Of each prompt, shape (prompts,): where `solved` is false, seconds and work are those of all attempts."""

    seconds: Floats
    work_s: Floats
    attempts: Floats
    usd: Floats
    solved: Bools


def elapsed_s(correct: Floats, seconds: Floats) -> Floats:
    """Seconds to the first right answer, attempts in the order of the rows; all of them where none is right."""
    first = np.where((correct == 1).any(axis=0), (correct == 1).argmax(axis=0), len(correct) - 1)
    found: Floats = np.take_along_axis(seconds.cumsum(axis=0), first[None], axis=0)[0]
    return found


def play(order: Ints, answers: Answers) -> PlayedPrompts:
    """One attempt after another, in the `order` of rows, until one is right; the engine works all the time."""
    right = np.take_along_axis(answers.correct, order, axis=0) == 1
    solved = right.any(axis=0)
    last = np.where(solved, right.argmax(axis=0), len(order) - 1)

    def until(values: Floats) -> Floats:
        found: Floats = np.take_along_axis(
            np.take_along_axis(values, order, axis=0).cumsum(axis=0), last[None], axis=0
        )[0]
        return found

    took_s = until(answers.seconds)
    return PlayedPrompts(seconds=took_s, work_s=took_s, attempts=last + 1.0, usd=until(answers.usd), solved=solved)
