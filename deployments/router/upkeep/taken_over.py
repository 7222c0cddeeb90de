"""What a running router takes over from files: other limits, and another profile."""

import asyncio
from collections.abc import Callable

import msgspec
from pydantic import ValidationError

from deployments.router.choice.budgets import Thinking
from deployments.router.choice.chances import SLICE, Chances
from deployments.router.choice.routing import Routing
from deployments.router.settings import Limits
from deployments.router.upkeep.watched_file import yaml_as_json
from profiles.profile import Profile
from profiles.strict import told_of


def limits_in(content: bytes, configured: Limits) -> Limits:
    """The limits in a file of YAML or JSON; what it does not name is as configured. ValueError says what is wrong."""
    given = msgspec.json.decode(yaml_as_json(content))
    if not isinstance(given, dict | None):
        raise ValueError("is no mapping of limits to values")
    try:
        found = Limits.model_validate(configured.model_dump() | (given or {}))
    except ValidationError as error:
        raise ValueError(told_of(error)) from None
    if found.deadline_s > configured.deadline_s:
        raise ValueError(
            f"deadline_s: {found.deadline_s} is longer than limits.deadline_s of the config ({configured.deadline_s}), "
            "by which replicas end what they have under way when they stop"
        )
    return found


def profile_in(content: bytes) -> Profile:
    """The profile in a file; ValueError says what is wrong with it."""
    try:
        return Profile.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(told_of(error)) from None


async def rest_on(routing: Routing, profile: Profile, thinking: Callable[[], Thinking | None]) -> None:
    """Let a routing rest on another profile, with all verdicts it has learned; requests under way go on.

    Thinking keeps its budgets until they are planned anew.

    ValueError where the profile cuts lengths into other buckets, by which requests under way and the log are kept.
    """
    if profile.bucket_edges != routing.profile.bucket_edges:
        raise ValueError(
            f"bucket_edges: {list(profile.bucket_edges)}; a running router keeps {list(routing.profile.bucket_edges)}, "
            "so other ones need a changed config"
        )
    planned = await asyncio.to_thread(thinking)
    undone = routing.chances.undone
    chances = await asyncio.to_thread(Chances, profile, tuple(routing.models), routing.learning, undone=undone)
    while True:
        if chances.learn_again(routing.chances, SLICE):
            break
        # requests have their turn; the last verdicts are learned without one, so that none comes meanwhile
        await asyncio.sleep(0)
    if planned is not None and routing.thinking is not None:
        planned.controller.carry_over(routing.thinking.controller)
    routing.rest_on(profile, chances, planned)
