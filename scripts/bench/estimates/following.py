"""`laar bench following`: what it costs a router that all of them share their verdicts through the log."""

import asyncio
import tempfile
import time
from typing import Any

from deployments.log.database.store import Store
from deployments.log.writing.log_records import RequestRecord
from deployments.log.writing.replica_log import LogHistory
from deployments.router.choice.chances import Chances, HeardVerdict
from deployments.router.settings import Learning
from deployments.router.upkeep.learn_from_log import Follower, follow_once
from profiles.cell import Cell
from profiles.measuring.logged_attempt import LoggedAttempt
from profiles.profile import NO_PROFILE
from scripts.report import Bar, Report

RATES = (1000, 5000)
ROUTERS = (1, 4, 16)
NUM_MODELS = 50
BAR_SHARE = 0.2
LEARNING = Learning()


def run() -> Report:
    """For each rate and number of routers: one round of following, on SQLite, as a share of the time it is for."""
    figures: dict[str, Any] = {}
    bars = []
    for rate in RATES:
        for routers in ROUTERS:
            found = {
                name: _round(rate, routers, most_per_s=most)
                for name, most in (("all", None), ("sampled", LEARNING.max_followed_per_s))
            }
            name = f"{rate}_per_s_{routers}_routers"
            figures[name] = found
            bars.append(Bar(name=name, value=found["sampled"]["followed_share"], limit=BAR_SHARE, kind="max"))
    parameters = {"models": NUM_MODELS, "sync_period_s": LEARNING.sync_period_s, "limit": LEARNING.max_followed_per_s}
    return Report(bench="following", parameters=parameters, figures=figures, bars=bars)


def _round(rate: int, routers: int, *, most_per_s: int | None) -> dict[str, float]:
    """Shares of a core: of others' verdicts, read and learned, and of the router's own, learned as they come."""
    period_s = LEARNING.sync_period_s
    models = tuple(f"m{number}" for number in range(NUM_MODELS))
    chances = Chances(NO_PROFILE, models, LEARNING)
    with tempfile.TemporaryDirectory(prefix="laar-bench-") as folder:
        store = Store(f"sqlite:///{folder}/attempts.sqlite")
        store.migrate()
        follower = Follower(
            LogHistory(store, replay_days=1),
            chances,
            replica="r0",
            buckets=NO_PROFILE.buckets,
            half_life_verdicts=LEARNING.half_life_verdicts,
            most=None if most_per_s is None else round(most_per_s * period_s),
        )
        follower.catch_up(timeout_s=1, clock=time.monotonic)
        count = round(rate * period_s)
        store.write([_record(number, f"r{number % routers}", models) for number in range(count)])
        began_s = time.process_time()
        asyncio.run(follow_once(follower))
        followed_s = time.process_time() - began_s
        store.close()
    began_s = time.process_time()
    for heard in range(count // routers):
        chances.observe(HeardVerdict(models[heard % NUM_MODELS], Cell("default", "en", 0), heard % 3 > 0))
    own_s = time.process_time() - began_s
    return {"followed_share": round(followed_s / period_s, 3), "own_share": round(own_s / period_s, 3)}


def _record(number: int, replica: str, models: tuple[str, ...]) -> RequestRecord:
    attempt = LoggedAttempt(
        model=models[number % NUM_MODELS],
        bucket="<=128",
        verdict="correct" if number % 3 else "wrong",
        reason="matched",
        latency_s=1.0,
        probability=0.5,
        prompt_tokens=50,
    )
    return RequestRecord(
        request_id=f"laar-{number:032x}",
        arrived_at_s=time.time(),
        duration_s=1.0,
        status=200,
        verified=True,
        answer_index=0,
        endpoint="chat",
        is_stream=False,
        model="auto",
        task="default",
        language="en",
        bucket="<=128",
        prompt_chars=200,
        body_bytes=300,
        prompt_hash="0" * 64,
        api_key_hash=f"key{number % 20}",
        replica=replica,
        attempts=(attempt,),
    )
