"""Learning from the attempt log what other router replicas saw, what clients said, and what was learned before."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from deployments.log.reading.lessons import Batch, Lesson
from deployments.router.choice.chances import SLICE, HeardVerdict, most_replayed
from profiles.cell import Buckets, Cell

logger = logging.getLogger("ray.serve")


class LessonLog(Protocol):
    """The log as a follower reads it. Both may block, and raise SQLAlchemyError while the database is away."""

    def begin(self, most: int) -> int:
        """The position after which the latest changes begin, so many at most."""
        ...

    def last(self) -> int:
        """The position of the latest change."""
        ...

    def lessons(self, after: int, every: int) -> Batch:
        """Of the verdicts one in `every`."""
        ...


class LessonLearner(Protocol):
    """Learns of these models; what it returns is for others."""

    @property
    def models(self) -> Collection[str]: ...

    def observe(self, heard: HeardVerdict) -> object: ...

    def undo(self, tenants: frozenset[str]) -> Iterator[None]:
        """Learn nothing of these tenants, in steps; costs nothing where it is so already."""
        ...


class Follower:
    """Takes in the log's lessons once each, but for the verdicts of its own replica, which were learned at once.

    Of more than `most` that wait it takes an even sample: what others learn must not fill the router's core.
    """

    def __init__(
        self,
        source: LessonLog,
        learner: LessonLearner,
        *,
        replica: str,
        buckets: Buckets,
        half_life_verdicts: float,
        most: int | None = None,
    ) -> None:
        self._source, self._learner, self._replica, self._buckets = source, learner, replica, buckets
        self._most = most
        self._most_replayed = most_replayed(len(learner.models), half_life_verdicts)
        self._position: int | None = None

    def stride(self) -> int:
        """One in how many of the verdicts that wait is to be learned. Blocks on the database."""
        waiting = self._source.last() - self._began()
        return 1 if self._most is None else max(1, -(-waiting // self._most))

    def read(self, every: int = 1) -> Batch:
        """The lessons after those taken in. Blocks on the database."""
        return self._source.lessons(self._began(), every)

    def _began(self) -> int:
        """Up to where lessons are taken in; the first call finds where to begin."""
        if self._position is None:
            self._position = self._source.begin(self._most_replayed)
        return self._position

    def pass_over(self, batch: Batch) -> None:
        """Be done with a batch; before it is learned, so that no lesson can count twice."""
        self._position = batch.position

    def learn(self, lessons: Iterable[Lesson]) -> None:
        """Lessons about models that are no longer configured are left out.

        Where the bucket edges have changed since, the number of prompt tokens says which bucket a lesson is for.
        """
        for lesson in lessons:
            if lesson.replica != self._replica:
                self._learn(lesson)

    def undo(self, batch: Batch) -> Iterator[None]:
        """Let the keys that the operator has undone teach nothing, in steps; before what the batch teaches."""
        return self._learner.undo(batch.undone)

    def catch_up(self, *, timeout_s: float, clock: Callable[[], float]) -> bool:
        """Take in what the log has, blocking; whether all of it was there in time."""
        until_s = clock() + timeout_s
        while clock() < until_s:
            batch = self.read()
            self.pass_over(batch)
            for _ in self.undo(batch):
                pass
            self.learn(batch.lessons)
            if batch.is_last:
                return True
        return False

    def _learn(self, lesson: Lesson) -> None:
        known = self._learner.models
        if lesson.model not in known:
            return
        bucket = self._buckets.labelled(lesson.bucket, num_tokens=lesson.prompt_tokens)
        cell = Cell(lesson.task, lesson.language, bucket)
        failed = tuple(model for model in lesson.failed if model in known)
        self._learner.observe(
            HeardVerdict(lesson.model, cell, lesson.correct, lesson.check, failed, lesson.tenant, lesson.beside)
        )


def replay(follower: Follower, *, timeout_s: float, clock: Callable[[], float]) -> None:
    """Learn again what was learned before this replica started; what does not come in time comes later."""
    began_s = clock()
    try:
        is_done = follower.catch_up(timeout_s=timeout_s, clock=clock)
    except SQLAlchemyError:
        logger.warning("verdicts could not be replayed, as the attempt log cannot be read", exc_info=True)
        return
    if is_done:
        logger.info("verdicts replayed", extra={"seconds": round(clock() - began_s, 3)})
    else:
        logger.warning("verdicts are still being replayed", extra={"timeout_s": timeout_s})


async def keep_following(follower: Follower, *, period_s: float) -> None:
    """Take in what is new every `period_s` seconds, for ever; a log that cannot be read is tried again."""
    is_well = True
    while True:
        await asyncio.sleep(period_s)
        try:
            await follow_once(follower)
            if not is_well:
                logger.info("verdicts of the attempt log are followed again")
            is_well = True
        except Exception:
            if is_well:
                logger.warning("verdicts of the attempt log cannot be followed", exc_info=True)
            is_well = False


async def follow_once(follower: Follower) -> None:
    """Take in all that is new, or its sample, reading in a thread and learning where the learner lives."""
    every = await asyncio.to_thread(follower.stride)
    while True:
        batch = await asyncio.to_thread(follower.read, every)
        follower.pass_over(batch)
        for _ in follower.undo(batch):
            await asyncio.sleep(0)
        for start in range(0, len(batch.lessons), SLICE):
            follower.learn(batch.lessons[start : start + SLICE])
            await asyncio.sleep(0)
        if batch.is_last:
            return
