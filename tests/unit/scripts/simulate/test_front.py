"""L against what attempts take, and several routers before one cluster, both in the simulator."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

from deployments.router.attempt.tries import Tries
from deployments.router.choice.policy import Candidate, Decision
from profiles.profile import NO_PROFILE, Latency, ModelProfile, Profile
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.engine import Engine
from scripts.simulate.core.router import SimulatedRouter
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic, poisson

SLOTS = 32


class Right:
    """Every answer is."""

    def is_right(self, index: int, prompt: SimulatedPrompt, model: int) -> bool:
        return True


def cluster(*latencies: Latency, slots: int = SLOTS) -> Cluster:
    engines = tuple(Engine.of(latency, slots=slots) for latency in latencies)
    names = tuple("abc"[: len(engines)])
    return Cluster(models=names, engines=engines, replicas=(1,) * len(names), has_prefix_cache=False)


def profile(*latencies: Latency, output: float) -> Profile:
    models = {
        name: ModelProfile(
            latency=latency, chars_per_token={"unknown": 4.0}, chars_per_symbol_token=2.0, output_tokens={"t": output}
        )
        for name, latency in zip("abc", latencies, strict=False)
    }
    return Profile(version=1, measured=NO_PROFILE.measured, bucket_edges=(128,), models=models)


def traffic(models: int, *, prompt: float, output: float, requests: int, rate_per_s: float) -> Traffic:
    asked = SimulatedPrompt(
        id="p", task="t", language="en", prompt_tokens=(prompt,) * models, output_tokens=(output,) * models
    )
    return poisson([asked], [1.0], requests=requests, rate_per_s=rate_per_s, seed=1)


class Forecasts(SimulatedRouter):
    """Keeps what it expected of every attempt."""

    def choose(self, *args: Any, **fields: Any) -> Any:
        decision = super().choose(*args, **fields)
        assert decision is not None
        self.seconds = [*getattr(self, "seconds", []), decision.chosen.latency_s]
        return decision


@pytest.mark.parametrize("load", [0.3, 0.7, 0.95])
@pytest.mark.parametrize(
    ("prompt", "output", "slots"),
    [
        pytest.param(500, 200, 256, id="chat"),
        pytest.param(500, 200, 8, id="chat beyond the slots"),
        pytest.param(8000, 100, 32, id="long prompts"),
    ],
)
def test_expected_latency_is_what_attempts_take(prompt: float, output: float, slots: int, load: float) -> None:
    latency = Latency(overhead_s=0.05, prefill_s_per_token=2e-4, decode_s_per_token=0.02, decode_growth=0.05)
    work_s = 2e-4 * prompt + 0.02 * (1 + 0.05 * (slots - 1)) * output / slots
    router = Forecasts(
        policy="laar", models=("a",), profile=profile(latency, output=output), replicas=(1,), slots=slots
    )
    asked = traffic(1, prompt=prompt, output=output, requests=1000, rate_per_s=load / work_s)
    simulation = Simulation(cluster(latency, slots=slots), router, asked, Right(), loop="server", cap=1, seed=0)
    real_s = simulation.run().elapsed_s.sum()
    assert 0.8 < sum(router.seconds) / real_s < 1.25


LATENCIES = tuple(
    Latency(overhead_s=0.05, prefill_s_per_token=2e-4, decode_s_per_token=decode, decode_growth=growth)
    for decode, growth in ((0.01, 0.08), (0.015, 0.05), (0.02, 0.03))
)


class SimulatedFront:
    """Sends every request to one of the routers, drawn at random, which then makes all of its attempts.

    With a `period_s` engines tell all routers at that pace what they have under way, and the router of an attempt with
    its answer; without one they tell nothing.
    """

    def __init__(self, routers: Sequence[SimulatedRouter], *, period_s: float | None, seed: int) -> None:
        self._routers, self._period_s = routers, period_s
        self._draw = Random(seed).randrange
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


def served(num_routers: int, *, requests: int, rate_per_s: float) -> Results:
    routers = [
        SimulatedRouter(
            policy="laar",
            models=tuple("abc"),
            profile=profile(*LATENCIES, output=100.0),
            replicas=(1, 1, 1),
            slots=SLOTS,
            num_routers=num_routers,
        )
        for _ in range(num_routers)
    ]
    asked = traffic(3, prompt=500.0, output=100.0, requests=requests, rate_per_s=rate_per_s)
    front = SimulatedFront(routers, period_s=2.0, seed=3)
    return Simulation(cluster(*LATENCIES), front, asked, Right(), loop="server", cap=1, seed=0).run()


def test_eight_routers_choose_as_one() -> None:
    one, eight = (float(served(routers, requests=1500, rate_per_s=11.0).elapsed_s.mean()) for routers in (1, 8))
    assert eight < 1.03 * one


def test_burst_at_four_routers_is_spread_as_by_one() -> None:
    one, four = (np.array(served(routers, requests=300, rate_per_s=1e6).calls) for routers in (1, 4))
    assert np.abs(four - one).max() <= 6
