"""Several routers before one cluster: each sees its own requests at once, and those of the others by reports."""

from collections.abc import Sequence
from random import Random

from deployments.router.attempt.tries import Tries
from deployments.router.choice.policy import Candidate, Decision
from scripts.simulate.core.router import SimulatedRouter
from scripts.simulate.core.traffic import SimulatedPrompt


class SimulatedFront:
    """Sends every request to one of the routers, drawn at random, which then makes all of its attempts.

    With a `period_s` engines tell all routers at that pace what they have under way, and the router of an attempt with
    its answer; without one they tell nothing.
    """

    def __init__(self, routers: Sequence[SimulatedRouter], *, period_s: float | None, seed: int) -> None:
        self._routers, self._period_s = routers, period_s
        self._draw = Random(seed).randrange  # noqa: S311 (a seeded simulation)
        self._of_turn: dict[int, SimulatedRouter] = {}
        self._of_choice: dict[int, SimulatedRouter] = {}
        self._in_flight = dict.fromkeys(routers[0].names, 0)
        self._next_report_s = 0.0

    def choose(
        self, prompt: SimulatedPrompt, log: Tries | None, *, session: str, turn: int, now_s: float
    ) -> Decision | None:
        self._report_if_due(now_s)
        router = self._of_turn.get(turn)
        if router is None:
            router = self._of_turn[turn] = self._routers[self._draw(len(self._routers))]
        decision = router.choose(prompt, log, session=session, turn=turn, now_s=now_s)
        if decision is not None:
            self._of_choice[id(decision.chosen)] = router
        return decision

    def started(self, chosen: Candidate) -> None:
        self._in_flight[chosen.model] += 1
        self._of_choice[id(chosen)].started(chosen)

    def finished(self, chosen: Candidate) -> None:
        self._in_flight[chosen.model] -= 1
        router = self._of_choice[id(chosen)]
        router.finished(chosen)
        if self._period_s is not None:
            self._report(router, chosen.model)

    def answered(self, prompt: SimulatedPrompt, chosen: Candidate, log: Tries | None, *, correct: bool) -> None:
        self._of_choice.pop(id(chosen)).answered(prompt, chosen, log, correct=correct)

    def broke(self, model: str, now_s: float) -> None:
        for router in self._routers:
            router.broke(model, now_s)

    def set_replicas(self, model: str, running: int) -> None:
        for router in self._routers:
            router.set_replicas(model, running)

    def _report_if_due(self, now_s: float) -> None:
        if self._period_s is None or now_s < self._next_report_s:
            return
        self._next_report_s = now_s + self._period_s
        for router in self._routers:
            for model in self._in_flight:
                self._report(router, model)

    def _report(self, router: SimulatedRouter, model: str) -> None:
        router.load.report(model, self._in_flight[model] / router.load.replicas()[model])
