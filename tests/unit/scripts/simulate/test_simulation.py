"""Routing, retries and faults of the simulated cluster."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.routing import Routing
from deployments.router.model import Model
from deployments.router.settings import Learning
from deployments.router.text.features import Features
from profiles.profile import PairCounts
from scripts.bench.simulated.study import big_profile
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.router import SimulatedRouter
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic, poisson
from scripts.simulate.core.truth import DrawnTruth
from tests.unit.deployments.router.attempt.test_runner import NoDetector
from tests.unit.deployments.router.choice.test_routing import request as routed_request
from tests.unit.simulated import FAST, GOOD, ask, engine, profile, prompt, record

ENGINES = {FAST: engine(prefill=0.001, decode=0.1), GOOD: engine(prefill=0.001, decode=0.5)}
TOGETHER = PairCounts(failed=FAST, model=GOOD, task="t", language="en", bucket=0, correct=5, tried=40)


def models_asked(found: Results, request: int = 0) -> list[int]:
    return [0 if made.model == FAST else 1 for made in found.tries[request]]


def test_server_asks_the_next_model_after_a_wrong_answer() -> None:
    right = [record("p", FAST, correct=False), record("p", GOOD, correct=True)]
    found = ask(Cluster.of(ENGINES), [prompt(2)], right, policy="laar", known=profile())
    assert models_asked(found) == [0, 1]
    # 0.1 s of reading and 1 s of writing, then 0.1 s and 5 s
    assert found.elapsed_s.tolist() == pytest.approx([6.2])
    assert found.solved.tolist() == [True]


def test_longest_attempt_is_kept_also_where_a_quicker_one_follows() -> None:
    right = [record("p", FAST, correct=True), record("p", GOOD, correct=False)]
    found = ask(Cluster.of(ENGINES), [prompt(2)], right, policy="most-accurate", known=profile())
    assert models_asked(found) == [1, 0]
    assert found.longest_s.tolist() == pytest.approx([5.1])


def test_server_gives_up_when_every_model_was_wrong() -> None:
    right = [record("p", FAST, correct=False), record("p", GOOD, correct=False)]
    found = ask(Cluster.of(ENGINES), [prompt(2)], right, policy="laar", known=profile())
    assert (found.attempts.tolist(), found.solved.tolist()) == ([2], [False])


def test_client_gets_the_same_wrong_answer_from_its_session_up_to_the_cap() -> None:
    right = [record("p", FAST, correct=False), record("p", GOOD, correct=False)]
    found = ask(Cluster.of(ENGINES), [prompt(2)], right, policy="session-affinity", loop="client", cap=4)
    assert len(set(models_asked(found))) == 1
    assert found.attempts.tolist() == [4]


def test_client_that_asks_again_finds_its_prompt_read() -> None:
    right = [record("p", "m", correct=False)]
    found = ask(Cluster.of({"m": engine()}), [prompt(1)], right, loop="client", cap=2)
    # a second of reading 100 tokens, the second time 4 of them; a second of writing each time
    assert [made.latency_s for made in found.tries[0]] == pytest.approx([2.0, 1.04])


def test_without_a_prefix_cache_a_prompt_is_read_each_time() -> None:
    cluster = replace(Cluster.of({"m": engine()}), has_prefix_cache=False)
    found = ask(cluster, [prompt(1)], [record("p", "m", correct=False)], loop="client", cap=2)
    assert [made.latency_s for made in found.tries[0]] == pytest.approx([2.0, 2.0])


def test_closed_loop_sends_the_next_request_when_one_has_ended() -> None:
    prompts = [prompt(1, name=str(i)) for i in range(3)]
    right = [record(str(i), "m", correct=True) for i in range(3)]
    found = ask(Cluster.of({"m": engine()}), prompts, right, clients=1)
    assert found.arrival_s.tolist() == pytest.approx([0.0, 2.0, 4.0])


def test_verification_takes_its_time_after_each_answer() -> None:
    cluster = replace(Cluster.of(ENGINES), verify_s=0.5)
    right = [record("p", FAST, correct=False), record("p", GOOD, correct=True)]
    assert ask(cluster, [prompt(2)], right, policy="laar", known=profile()).elapsed_s.tolist() == pytest.approx([7.2])


def test_router_builds_the_candidates_that_production_builds() -> None:
    """Over requests with nothing tried, one wrong answer and one fault, under load, with joint failures."""
    known = profile(TOGETHER)
    real = Routing(
        models=[Model(name=name, context_tokens=100_000) for name in (FAST, GOOD)],
        profile=known,
        policy="laar",
        detector=NoDetector(),
        learning=Learning(enabled=False),
    )
    ours = SimulatedRouter(policy="laar", models=(FAST, GOOD), profile=known, replicas=(1, 1))
    features = Features(language="en", language_confidence=1.0, task="t", num_chars=400, symbol_share=0.0)
    asked = SimulatedPrompt(id="p", task="t", language="en", prompt_tokens=(100.0, 100.0), output_tokens=(10.0, 10.0))
    for load in (real.load, ours.load):
        load.start(FAST, 100)
        load.start(FAST, 50)
    request = msgspec.structs.replace(routed_request(), is_repeatable=True)
    for tried in ((), ((FAST, Status.WRONG),), ((GOOD, Status.ERROR),)):
        log = Tries(max_attempts=10, deadline_at_s=1e9, is_repeatable=True)
        for name, status in tried:
            log.add(Attempt(model=name, status=status, reason="", latency_s=1.0, probability=0.5))
        demand = real.demand(request, features)
        found = ours.builder.candidates(ours.demand(asked), log if tried else None, 0.0)
        assert found == real.builder.candidates(demand, log, 0.0)
        decided = real.decide(request, demand, log, turn=0, now_s=0.0)
        chosen = ours.choose(asked, log if tried else None, session="", turn=0, now_s=0.0)
        assert decided is not None
        assert chosen is not None
        assert chosen.chosen == decided.chosen


def drawn_run(*, seed: int = 0, requests: int = 400, policy: str = "laar", mtbf_s: float = 0.0) -> Results:
    cluster = replace(Cluster.of(ENGINES, {FAST: 2, GOOD: 3}), mtbf_s=mtbf_s, mttr_s=20.0, detect_s=0.5)
    known = profile(TOGETHER)
    traffic = poisson([prompt(2)], [1.0], requests=requests, rate_per_s=0.5, seed=seed)
    router = SimulatedRouter(policy=policy, models=cluster.models, profile=known, replicas=cluster.replicas)
    truth = DrawnTruth(known, cluster.models, traffic, seed=seed)
    return Simulation(cluster, router, traffic, truth, loop="server", cap=10, seed=seed).run()


def test_every_request_ends_once_and_every_attempt_is_booked() -> None:
    found = drawn_run()
    assert found.ended == 400
    assert not np.isnan(found.elapsed_s).any()
    assert int(found.attempts.sum()) == sum(found.calls)


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    first, again, other = drawn_run(), drawn_run(), drawn_run(seed=1)
    assert first.elapsed_s.tolist() == again.elapsed_s.tolist()
    assert first.elapsed_s.tolist() != other.elapsed_s.tolist()


def test_requests_of_a_failed_replica_are_retried_and_all_end() -> None:
    found = drawn_run(mtbf_s=60.0)
    assert found.faults > 0
    assert found.ended == 400
    assert found.solved.mean() == pytest.approx(drawn_run().solved.mean(), abs=0.05)


def test_two_choices_spread_requests_over_the_replicas() -> None:
    size = 40
    cluster = Cluster.of({"m": engine(prefill=0.0, growth=1.0, slots=64)}, {"m": 4})
    prompts = [prompt(1, name=str(i)) for i in range(size)]
    found = ask(cluster, prompts, [record(str(i), "m", correct=True) for i in range(size)])
    # ten each, were they spread evenly: 10 s; one replica alone would take 40 s
    assert 10.0 <= found.elapsed_s.max() < 14.0


def test_traffic_comes_in_one_way() -> None:
    with pytest.raises(ValueError, match="one of the two"):
        Traffic(prompts=[prompt(1)], order=np.zeros(1, dtype=np.intp))


def test_arrival_times_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="must ascend"):
        Traffic(prompts=[prompt(1)], order=np.zeros(2, dtype=np.intp), arrival_s=np.array([1.0, 0.0]))


def test_a_higher_rate_brings_the_same_requests_closer_together() -> None:
    slow = poisson([prompt(1)] * 2, [1, 1], requests=50, rate_per_s=1.0, seed=3)
    fast = poisson([prompt(1)] * 2, [1, 1], requests=50, rate_per_s=2.0, seed=3)
    assert slow.order.tolist() == fast.order.tolist()
    assert slow.arrival_s is not None
    assert fast.arrival_s is not None
    assert (slow.arrival_s / 2).tolist() == pytest.approx(fast.arrival_s.tolist())


def test_the_big_benchs_models_are_ten_that_fail_together() -> None:
    found = big_profile(0)
    assert (len(found.models), len(found.pairs)) == (10, 540)
