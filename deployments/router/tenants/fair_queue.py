"""Whose turn it is, and who is refused: tenants share the room of one router. No clock, no asyncio, no I/O."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from math import ceil

import numpy as np
from numpy.typing import NDArray

REMEMBERED_STAYS = 256
# of the whole room, what is kept for tenants below their share while others have more
KEPT_ONE_IN = 16
MAX_RETRY_AFTER_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """How wide the gate is: `most` sequences under way. For each tenant, `most_waiting` requests wait beyond its share,
    and none that cannot expect its turn within `wait_s`. `most_reading` bodies may be not all here yet. What its share
    covers waits for `patience_s` at most.
    """

    most: int
    most_waiting: int
    wait_s: float
    most_reading: int
    patience_s: float


class Turn(StrEnum):
    """Where a request is."""

    WAITING = "waiting"
    CAME = "came"
    REFUSED = "refused"
    OVER = "over"


@dataclass(slots=True, eq=False)
class Waiter:
    """One request of `weight` sequences, from its arrival to its end; `tell` is called when it need not wait on.

    `passed` is how much room others took while it was its tenant's first and too large.
    """

    tenant: str
    weight: int
    turn: Turn = Turn.WAITING
    tell: Callable[[], None] | None = None
    began_s: float = 0.0
    passed: int = 0
    refusal: str = ""
    retry_after_s: int = 1


@dataclass(slots=True, eq=False)
class _Part:
    """What one tenant has."""

    running: int = 0
    queued: int = 0
    waiting: deque[Waiter] = field(default_factory=deque)

    @property
    def wanted(self) -> int:
        """Sequences under way or waiting for their turn."""
        return self.running + self.queued


class Stays:
    """How long the latest requests stayed that have left, and what that says of those that are still here."""

    def __init__(self) -> None:
        self._seconds = np.zeros(REMEMBERED_STAYS)
        self._count = 0

    def add(self, seconds: float) -> None:
        self._seconds[self._count % REMEMBERED_STAYS] = seconds
        self._count += 1

    @property
    def mean_s(self) -> float:
        """Of one stay; a second while none has ended."""
        return max(1e-3, float(self._known.mean())) if self._count else 1.0

    def leaving(self, ages_s: NDArray[np.float64], weights: NDArray[np.float64], within_s: float) -> float:
        """How much of the weight is expected to have left after `within_s`.

        A request leaves as those did that were here for as long as it is. One more than these counts, which stays for
        as long again as it has stayed: it stands for what was not seen yet.
        """
        known = np.sort(self._known)
        gone = np.searchsorted(known, ages_s, side="right")
        soon = np.searchsorted(known, ages_s + within_s, side="right") - gone
        unseen = within_s / (ages_s + within_s)
        return float(weights @ ((soon + unseen) / (len(known) - gone + 1)))

    @property
    def _known(self) -> NDArray[np.float64]:
        return self._seconds[: min(self._count, REMEMBERED_STAYS)]


class FairQueue:
    """The next room that gets free is that of the tenant with the least under way, and who wants most is refused first.

    A tenant's share is the room divided by the tenants that are here, at least one place. It may take what others
    leave, save for a place for each of the others that is below its share, up to a sixteenth of the room.
    A request within its tenant's share is never refused. Of the others no more wait than are expected to get their
    turn in time. That is known when a request comes: the newest one of the tenant that wants most is refused then.

    A request of many sequences that does not fit yet lets others pass, until they have taken as much room as it needs.
    """

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self._parts: dict[str, _Part] = {}
        self._inside: dict[Waiter, None] = {}
        self._running = self._queued = 0
        self._stays = Stays()

    def take(self, doors: Doors, now_s: float) -> None:
        """Be this wide from now on; what is under way stays, and what waits takes no more than the whole of it."""
        self.doors = doors
        self._admit(now_s)

    def wanted(self, tenant: str) -> int:
        """Sequences that the tenant has under way or waiting."""
        return part.wanted if (part := self._parts.get(tenant)) is not None else 0

    def join(self, tenant: str, weight: int, now_s: float) -> Waiter:
        """A new request, which is let in, waits or is refused; `leave` has to follow in any case."""
        part = self._parts.setdefault(tenant, _Part())
        waiter = Waiter(tenant, min(weight, self.doors.most))
        if not self._queued and self._fits(part, waiter.weight, self._kept(part)):
            self._let_in(part, waiter, now_s)
            return waiter
        part.waiting.append(waiter)
        self._count(part, waiter.weight)
        self._admit(now_s)
        if waiter.turn is Turn.WAITING:
            self._shorten(part, now_s)
        return waiter

    def leave(self, waiter: Waiter, now_s: float) -> None:
        """The request has ended, or gives up."""
        part = self._parts.get(waiter.tenant)
        turn, waiter.turn = waiter.turn, Turn.OVER
        if part is not None and turn is Turn.CAME:
            del self._inside[waiter]
            self._stays.add(now_s - waiter.began_s)
            part.running -= waiter.weight
            self._running -= waiter.weight
        elif part is not None and turn is Turn.WAITING:
            part.waiting.remove(waiter)
            self._count(part, -waiter.weight)
        self._forget(waiter.tenant)
        self._admit(now_s)

    # -- who comes in -------------------------------------------------------------------------------------

    def _admit(self, now_s: float) -> None:
        """Let in those whose turn it is."""
        while self._queued and (part := self._next()) is not None:
            waiter = part.waiting.popleft()
            self._count(part, -waiter.weight)
            waiter.weight = min(waiter.weight, self.doors.most)
            for other in self._awaiting():
                if other is not part and self._first(other) > self._free:
                    other.waiting[0].passed += waiter.weight
            self._let_in(part, waiter, now_s)

    def _next(self) -> _Part | None:
        """Of the tenants whose first waiter fits, the one that then has the least under way.

        A waiter that is too large is passed over, until others have taken as much room as it needs. Then it is next.
        """
        heads = list(self._awaiting())
        late = max(heads, key=lambda part: part.waiting[0].passed - self._first(part), default=None)
        if late is not None and late.waiting[0].passed >= self._first(late):
            return late if self._first(late) <= self._free else None
        # who waits beyond its share is not below it
        kept = self._kept(None)
        fitting = (part for part in heads if self._fits(part, self._first(part), kept))
        return min(fitting, key=lambda part: part.running + self._first(part), default=None)

    def _first(self, part: _Part) -> int:
        """The room that its first waiter takes: no more than the whole gate, which may have been narrowed since."""
        return min(part.waiting[0].weight, self.doors.most)

    def _fits(self, part: _Part, weight: int, kept: int) -> bool:
        """Whether there is room, of which so much is `kept` from those beyond their share."""
        return weight <= self._free - (kept if part.running + weight > self._share else 0)

    def _kept(self, part: _Part | None) -> int:
        """Places that stay free for tenants below their share, a place for each but `part`."""
        share, others = self._share, (other for other in self._parts.values() if other is not part)
        below = (other for other in others if other.running > 0 and other.wanted + 1 <= share)
        return sum(1 for _ in islice(below, self.doors.most // KEPT_ONE_IN))

    def _let_in(self, part: _Part, waiter: Waiter, now_s: float) -> None:
        part.running += waiter.weight
        self._running += waiter.weight
        self._inside[waiter] = None
        waiter.began_s = now_s
        self._end_wait(waiter, Turn.CAME)

    # -- who is refused -----------------------------------------------------------------------------------

    def _shorten(self, joined: _Part, now_s: float) -> None:
        """Refuse what was one too many since a request of `joined` came."""
        share = self._share
        if joined.wanted > share and len(joined.waiting) > self.doors.most_waiting:
            self._refuse(joined, "the queue is full")
        room = self._expected_room(now_s)
        while self._queued > room:
            # of two that want the same, the one whose request has just come
            refusable = (part for part in self._awaiting() if part.wanted > share)
            greediest = max(refusable, key=lambda part: (part.wanted, part is joined), default=None)
            if greediest is None:
                break
            self._refuse(greediest, "a turn would come too late")
        self._admit(now_s)

    def _expected_room(self, now_s: float) -> float:
        """What gets free in as much time as a request beyond its tenant's share may wait."""
        inside = self._inside
        ages_s = now_s - np.fromiter((waiter.began_s for waiter in inside), float, len(inside))
        weights = np.fromiter((waiter.weight for waiter in inside), float, len(inside))
        leaving = self._stays.leaving(ages_s, weights, self.doors.wait_s)
        # who comes after them leaves in time too, where stays are short
        return self._free - self._kept(None) + leaving * max(1.0, self.doors.wait_s / self._stays.mean_s)

    def _refuse(self, part: _Part, why: str) -> None:
        """Refuse the newest one."""
        expected_s = min(self._queued * self._stays.mean_s / self.doors.most, MAX_RETRY_AFTER_S)
        waiter = part.waiting.pop()
        self._count(part, -waiter.weight)
        waiter.refusal = f"{self.doors.most} requests are under way, and {why}"
        waiter.retry_after_s = max(1, ceil(expected_s))
        self._end_wait(waiter, Turn.REFUSED)

    # -- what there is ------------------------------------------------------------------------------------

    @property
    def _free(self) -> int:
        return self.doors.most - self._running

    @property
    def _share(self) -> float:
        return max(1.0, self.doors.most / max(1, len(self._parts)))

    def _awaiting(self) -> Iterator[_Part]:
        return (part for part in self._parts.values() if part.waiting)

    def _count(self, part: _Part, weight: int) -> None:
        part.queued += weight
        self._queued += weight

    def _forget(self, tenant: str) -> None:
        if (part := self._parts.get(tenant)) is not None and not part.running and not part.waiting:
            del self._parts[tenant]

    def _end_wait(self, waiter: Waiter, turn: Turn) -> None:
        waiter.turn = turn
        if waiter.tell is not None:
            waiter.tell()
