"""What orders of attempts bring, one after another and overlapped."""

from math import inf

import numpy as np
import pytest

from scripts.replay.overlapping import play_overlapped
from scripts.replay.play import Answers, play

# three models on four prompts: only the first is right, only the last, none, all
ANSWERS = Answers(
    correct=np.array([[1, 0, 0, 1], [0, 0, 0, 1], [0, 1, 0, 1]], dtype=np.float64),
    seconds=np.array([[1.0] * 4, [2.0] * 4, [4.0] * 4]),
    usd=np.array([[0.1] * 4, [0.2] * 4, [0.4] * 4]),
)
ORDER = np.array([[0] * 4, [1] * 4, [2] * 4], dtype=np.intp)


def test_attempts_follow_one_another_until_one_is_right_or_none_is_left() -> None:
    found = play(ORDER, ANSWERS)
    assert found.seconds.tolist() == [1, 7, 7, 1]
    assert found.attempts.tolist() == [1, 3, 3, 1]
    assert found.solved.tolist() == [True, True, False, True]
    assert found.usd.tolist() == pytest.approx([0.1, 0.7, 0.7, 0.1])


def test_overlapped_attempts_that_never_start_early_are_those_one_after_another() -> None:
    found, sequential = play_overlapped(ORDER, ANSWERS, [lambda running, following: inf] * 4), play(ORDER, ANSWERS)
    for field in ("seconds", "work_s", "attempts", "solved"):
        assert getattr(found, field).tolist() == getattr(sequential, field).tolist()


def test_started_at_once_the_quickest_right_answer_ends_all() -> None:
    found = play_overlapped(ORDER, ANSWERS, [lambda running, following: 0.0] * 4)
    assert found.seconds.tolist() == [1, 4, 4, 1]
    # the losers work until they are cancelled
    assert found.work_s.tolist() == [3, 7, 7, 3]
    assert found.attempts.tolist() == [3, 3, 3, 3]


def test_the_next_starts_at_its_moment_or_when_all_before_have_failed() -> None:
    found = play_overlapped(ORDER, ANSWERS, [lambda running, following: 0.5 if following == 1 else inf] * 4)
    # the second starts at 0.5 s and fails at 2.5 s, when the third starts
    assert found.seconds.tolist() == [1, 6.5, 6.5, 1]
    assert found.work_s.tolist() == [1.5, 7, 7, 1.5]
