"""`laar log keys` and `laar log undo-key`: whose verdicts moved what, and to let a key teach nothing."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from math import inf

from sqlalchemy import select, union

from deployments.log.database.store import Store
from deployments.log.database.tables import attempts, requests, undone_keys
from deployments.log.writing.replica_log import LogHistory
from deployments.router.choice.chances import Chances, HeardVerdict
from deployments.router.settings import Learning
from deployments.router.upkeep.learn_from_log import Follower
from profiles.profile import Profile
from scripts.log.actions import moment
from scripts.tables import Column, print_json, print_table

# so much of an id tells keys apart in a table
SHOWN_CHARS = 12
NO_KEY = "(none)"


@dataclass(slots=True, kw_only=True)
class KeyRow:
    """What one key said of one model, and by how much that moved the chances of the cells that it was said of."""

    key: str
    model: str
    is_undone: bool
    lessons: int = 0
    right: int = 0
    moved: float = 0.0


class _Listener:
    """Learns as a router does, and keeps account of who moved what."""

    def __init__(self, chances: Chances) -> None:
        self._chances = chances
        self.taught: dict[tuple[str, str], KeyRow] = {}

    @property
    def models(self) -> Collection[str]:
        return self._chances.models

    def undo(self, tenants: frozenset[str]) -> Iterator[None]:
        return self._chances.undo(tenants)

    def observe(self, heard: HeardVerdict) -> None:
        is_undone = heard.tenant in self._chances.undone
        row = self.taught.setdefault(
            (heard.tenant, heard.model), KeyRow(key=heard.tenant, model=heard.model, is_undone=is_undone)
        )
        before = self._chance(heard)
        self._chances.observe(heard)
        row.lessons += 1
        row.right += heard.correct is True
        row.moved += self._chance(heard) - before

    def _chance(self, heard: HeardVerdict) -> float:
        return self._chances.source.estimate(heard.model, heard.cell).probability


def show_keys(store: Store, profile: Profile, *, since: str, as_json: bool) -> None:
    """A row for each key and model, those that moved most first."""
    now = datetime.now(UTC)
    replay_days = (now - moment(since, now)) / timedelta(days=1)
    rows = sorted(_taught(store, profile, replay_days), key=lambda row: -abs(row.moved))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(_columns(rows))


def undo_key(store: Store, key: str, *, back: bool) -> str:
    """Let nothing be learned of a key, or with `back` let it teach again; its whole id.

    ValueError if none has this id, and no key, or more than one, has an id that begins so.
    """
    with store.engine.connect() as connection:
        known = undone_keys.c.api_key_hash
        asked = select(requests.c.api_key_hash)
        keys = select(known) if back else union(asked, select(known))
        known_ids = set(connection.execute(keys).scalars())
    # requests without a key have an empty id, with which all others begin
    found = [key] if key in known_ids else sorted(one for one in known_ids if one.startswith(key))
    if len(found) != 1:
        what = "no key" if not found else f"{len(found)} keys"
        raise ValueError(f"{what} {'that was undone ' if back else ''}with an id that begins with '{key}'")
    if back:
        store.redo_key(found[0])
    else:
        store.undo_key(found[0], datetime.now(UTC))
    return str(found[0]) or NO_KEY


def _taught(store: Store, profile: Profile, replay_days: float) -> Collection[KeyRow]:
    with store.engine.connect() as connection:
        models = sorted(set(connection.execute(select(attempts.c.model).distinct()).scalars()))
    learning = Learning()
    listener = _Listener(Chances(profile, models, learning))
    follower = Follower(
        LogHistory(store, replay_days=replay_days),
        listener,
        replica="",
        buckets=profile.buckets,
        half_life_verdicts=learning.half_life_verdicts,
    )
    follower.catch_up(timeout_s=inf, clock=lambda: 0.0)
    return listener.taught.values()


def _columns(rows: list[KeyRow]) -> list[Column]:
    return [
        Column(title="key", rank=0, cells=[row.key[:SHOWN_CHARS] or NO_KEY for row in rows]),
        Column(title="model", rank=0, cells=[row.model for row in rows]),
        Column(title="lessons", rank=1, cells=[str(row.lessons) for row in rows], is_number=True),
        Column(title="right", rank=2, cells=[str(row.right) for row in rows], is_number=True),
        Column(title="moved", rank=0, cells=[f"{row.moved:+.3f}" for row in rows], is_number=True),
        Column(title="undone", rank=1, cells=["yes" if row.is_undone else "" for row in rows]),
    ]
