"""The loop that keeps thinking budgets up to date: off the hot path, solving in a thread."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from deployments.budgets.controller import Controller, Plan, PlanStatus
from deployments.router.choice.routing import Routing

logger = logging.getLogger("ray.serve")


class PlanObserver(Protocol):
    """Is told of every plan, the present one from now on, and what finding it took."""

    def planned(self, controller: Controller, seconds: float) -> None: ...


async def keep_planning(
    routing: Routing, *, observer: PlanObserver, period_s: float, clock: Callable[[], float]
) -> None:
    """Plan at once and then every `period_s` seconds, for ever; a round that breaks leaves the budgets as they are."""
    while True:
        try:
            await plan_once(routing, observer=observer, clock=clock)
        except Exception:
            logger.exception("thinking budgets could not be planned")
        await asyncio.sleep(period_s)


async def plan_once(routing: Routing, *, observer: PlanObserver, clock: Callable[[], float]) -> None:
    if (thinking := routing.thinking) is None:
        return
    controller, began_s = thinking.controller, clock()
    before = controller.plan
    plan = await asyncio.to_thread(controller.solve, controller.arrivals(began_s, routing.load.replicas()))
    if controller.adopt(plan):
        thinking.plan_changed()
    _log_troubles(before, plan)
    observer.planned(controller, clock() - began_s)


def _log_troubles(before: Plan, plan: Plan) -> None:
    """Tell once when a model's budgets cannot be found, and once when they can again."""
    for name, now in plan.items():
        old = before[name].outcome if name in before else PlanStatus.TAKEN
        was_in_trouble, is_in_trouble = old in _TROUBLES, now.outcome in _TROUBLES
        if is_in_trouble and old is not now.outcome:
            logger.warning(
                "no thinking budgets for the load",
                extra={"model": name, "outcome": now.outcome.value, "reason": now.reason},
            )
        elif was_in_trouble and not is_in_trouble:
            logger.info("thinking budgets for the load again", extra={"model": name})


_TROUBLES = frozenset({PlanStatus.OVERLOADED, PlanStatus.FAILED})
