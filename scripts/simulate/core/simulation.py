"""The event loop: requests arrive, are routed, served, verified and retried, until every one has ended.

A heap of events and plain objects; an event of simpy costs three times as much (docs/simulator.md).
"""

import random
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deployments.router.attempt.tries import Status, Tries
from deployments.router.choice.policy import Candidate, Decision
from profiles.measures.trial import TrialAttempt
from scripts.simulate.core.cluster import Cluster, Fleet
from scripts.simulate.core.engine import Call, Host, Replica
from scripts.simulate.core.router import Loop, new_log, note
from scripts.simulate.core.traffic import Floats, SimulatedPrompt, Traffic
from scripts.simulate.core.truth import Truth

# What an event is, where it is not the end of a call, which carries its replica's version from 0 up.
_VERDICT, _FAULT, _DOWN, _UP, _ANSWER = -1, -2, -3, -4, -5


class Chooser(Protocol):
    """What `Router` does for a simulation: choose a model, and be told what became of it."""

    def choose(
        self, prompt: SimulatedPrompt, log: Tries | None, *, session: str, turn: int, now_s: float
    ) -> Decision | None: ...

    def started(self, chosen: Candidate) -> None: ...

    def finished(self, chosen: Candidate) -> None: ...

    def answered(self, prompt: SimulatedPrompt, chosen: Candidate, log: Tries | None, *, correct: bool) -> None: ...

    def broke(self, model: str, now_s: float) -> None: ...

    def set_replicas(self, model: str, running: int) -> None: ...


class Request:
    """A request under way."""

    __slots__ = (
        "arrival_s",
        "attempts",
        "chosen",
        "error_s",
        "errors",
        "index",
        "log",
        "longest_s",
        "prompt",
        "read_at",
        "session",
        "turn",
    )

    def __init__(self, index: int, prompt: SimulatedPrompt, *, arrival_s: float, session: str) -> None:
        self.index, self.prompt, self.arrival_s, self.session = index, prompt, arrival_s, session
        self.log: Tries | None = None
        self.read_at: list[Replica] = []
        self.chosen: Candidate | None = None
        self.attempts = self.errors = self.turn = 0
        self.longest_s = self.error_s = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Results:
    """What became of every request, in the order of the traffic; NaN where a figure does not exist.

    `first_token_s` counts from arrival to the first token of the last answer, `token_s` is the time per output token
    after that. `seen` is how many requests each arrival found, `longest_s` its longest attempt, `errors`
    how many attempts brought no answer, and `error_s` how long these took together. `busy` is the share of
    the time that each model's replicas worked. `tries` are kept on request only.
    """

    arrival_s: Floats
    elapsed_s: Floats
    solved: NDArray[np.bool_]
    attempts: NDArray[np.int16]
    first_token_s: Floats
    token_s: Floats
    seen: NDArray[np.int32]
    longest_s: Floats
    errors: NDArray[np.int16]
    error_s: Floats
    ended: int = 0
    end_s: float = 0.0
    events: int = 0
    faults: int = 0
    calls: list[int] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    tries: dict[int, list[TrialAttempt]] = field(default_factory=dict)


class Simulation:
    """One run of one policy; to be made anew for each."""

    def __init__(
        self,
        cluster: Cluster,
        router: Chooser,
        traffic: Traffic,
        truth: Truth,
        *,
        loop: Loop,
        cap: int,
        seed: int,
        keeps_tries: bool = False,
    ) -> None:
        self._cluster, self._router, self._traffic, self._truth = cluster, router, traffic, truth
        self._is_server, self._cap, self._keeps_tries = loop == "server", cap, keeps_tries
        self._fleet = Fleet(cluster, random.Random(seed))  # noqa: S311 (a seeded simulation)
        # a stream of its own, that no other seed's requests draw from
        self._fault_rng = np.random.default_rng([seed, 1])
        self._index = {name: index for index, name in enumerate(cluster.models)}
        self._overheads = [engine.overhead_s for engine in cluster.engines]
        self._heap: list[tuple[float, int, Replica | Call[Request], int]] = []
        self._ticket = count()
        self._turns = count()
        self._now_s = 0.0
        self._in_system = 0
        self._next = 0
        self._order: list[int] = traffic.order.tolist()
        size = len(traffic)
        self.outcome = Results(
            arrival_s=np.zeros(size),
            elapsed_s=np.full(size, np.nan),
            solved=np.zeros(size, dtype=np.bool_),
            attempts=np.zeros(size, dtype=np.int16),
            first_token_s=np.full(size, np.nan),
            token_s=np.full(size, np.nan),
            seen=np.zeros(size, dtype=np.int32),
            longest_s=np.zeros(size),
            errors=np.zeros(size, dtype=np.int16),
            error_s=np.zeros(size),
            calls=[0] * len(cluster.models),
        )

    def run(self) -> Results:
        """Play until every request has ended."""
        size = len(self._traffic)
        if self._cluster.mtbf_s > 0:
            for replica in self._fleet.all:
                self._push_fault(replica, _DOWN, self._cluster.mtbf_s)
        if self._traffic.arrival_s is None:
            for _ in range(min(self._traffic.clients, size)):
                self._arrive()
            arrivals: list[float] = []
        else:
            arrivals = self._traffic.arrival_s.tolist()
        heap, outcome = self._heap, self.outcome
        coming = iter(arrivals)
        arrives_s = next(coming, inf)
        while outcome.ended < size:
            if not heap or arrives_s < heap[0][0]:
                self._now_s = arrives_s
                self._arrive()
                arrives_s = next(coming, inf)
                continue
            now_s, _, thing, version = heappop(heap)
            if isinstance(thing, Replica) and version >= 0:
                if version != thing.version:
                    continue
                self._now_s = now_s
                self._call_ends(thing)
            else:
                self._now_s = now_s
                self._other(thing, version)
            outcome.events += 1
        self._close()
        return outcome

    # -- requests -----------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        traffic, index = self._traffic, self._next
        self._next += 1
        session = traffic.sessions[index] if traffic.sessions is not None else str(index)
        request = Request(index, traffic.prompts[self._order[index]], arrival_s=self._now_s, session=session)
        self.outcome.arrival_s[index] = self._now_s
        self.outcome.seen[index] = self._in_system
        self._in_system += 1
        request.turn = next(self._turns)
        self._ask(request)

    def _ask(self, request: Request) -> None:
        """Send the next attempt, or end the request where no model is left."""
        prompt = request.prompt
        decision = self._router.choose(
            prompt, request.log, session=request.session, turn=request.turn, now_s=self._now_s
        )
        if decision is None:
            self._end(request, None)
            return
        chosen = request.chosen = decision.chosen
        model = self._index[chosen.model]
        replica = self._fleet.pick(model)
        self._router.started(chosen)
        self.outcome.calls[model] += 1
        tokens = prompt.prompt_tokens[model]
        if replica in request.read_at:
            tokens = self._cluster.engines[model].unread(tokens)
        call = Call(request, model, prompt_tokens=tokens, output_tokens=prompt.output_tokens[model], sent_s=self._now_s)
        if replica is None:
            self._push(self._now_s + self._cluster.detect_s, call, _FAULT)
        else:
            self._submit(replica, call)

    def _answer(self, call: Call[Request]) -> None:
        """An answer has come back; until now its request was one of those in flight that the router sees."""
        assert call.request.chosen is not None
        self._router.finished(call.request.chosen)
        if self._cluster.verify_s > 0:
            self._push(self._now_s + self._cluster.verify_s, call, _VERDICT)
        else:
            self._verdict(call)

    def _verdict(self, call: Call[Request]) -> None:
        request, model, chosen = call.request, call.model, call.request.chosen
        assert chosen is not None
        is_right = self._truth.is_right(request.index, request.prompt, model)
        self._router.answered(request.prompt, chosen, request.log, correct=is_right)
        self._tried(call, Status.CORRECT if is_right else Status.WRONG)
        if is_right:
            self._end(request, call)
        else:
            self._go_on(request)

    def _broken(self, call: Call[Request]) -> None:
        chosen = call.request.chosen
        assert chosen is not None
        self.outcome.faults += 1
        self._router.finished(chosen)
        self._router.broke(chosen.model, self._now_s)
        self._tried(call, Status.ERROR)
        self._go_on(call.request)

    def _tried(self, call: Call[Request], status: Status) -> None:
        request, latency_s = call.request, self._now_s - call.sent_s
        request.attempts += 1
        if latency_s > request.longest_s:
            request.longest_s = latency_s
        if status is Status.ERROR:
            request.errors += 1
            request.error_s += latency_s
        if self._keeps_tries:
            started_s, is_right = call.sent_s - request.arrival_s, status is Status.CORRECT
            made = TrialAttempt(
                model="" if status is Status.ERROR else self._cluster.models[call.model],
                started_s=started_s,
                latency_s=latency_s,
                correct=is_right,
                prompt_tokens=int(request.prompt.prompt_tokens[call.model]),
                output_tokens=int(request.prompt.output_tokens[call.model]),
            )
            self.outcome.tries.setdefault(request.index, []).append(made)
        if self._is_server and status is not Status.CORRECT:
            assert request.chosen is not None
            if request.log is None:
                request.log = new_log(self._cap)
            note(request.log, request.chosen, status, latency_s)

    def _go_on(self, request: Request) -> None:
        if request.attempts >= self._cap:
            self._end(request, None)
            return
        if not self._is_server:
            request.turn = next(self._turns)
        self._ask(request)

    def _end(self, request: Request, call: Call[Request] | None) -> None:
        """Book what became of a request and of the call that brought the right answer, if any."""
        outcome, index = self.outcome, request.index
        outcome.elapsed_s[index] = self._now_s - request.arrival_s
        outcome.attempts[index] = request.attempts
        outcome.longest_s[index] = request.longest_s
        outcome.errors[index], outcome.error_s[index] = request.errors, request.error_s
        if call is not None:
            outcome.solved[index] = True
            outcome.first_token_s[index] = call.first_token_s - request.arrival_s
            more = call.output_tokens - 1
            ended_s = self._now_s - self._overheads[call.model] - self._cluster.verify_s
            if more > 0:
                outcome.token_s[index] = (ended_s - call.first_token_s) / more
        outcome.ended += 1
        self._in_system -= 1
        if self._traffic.arrival_s is None and self._next < len(self._traffic):
            self._arrive()

    # -- replicas -----------------------------------------------------------------------------------------

    def _submit(self, replica: Replica, call: Call[Request]) -> None:
        if self._cluster.has_prefix_cache:
            call.request.read_at.append(replica)
        replica.advance(self._now_s)
        was_idle = not replica.running
        replica.submit(call)
        if was_idle and replica.host is not None:
            self._share(replica.host, +1)
        else:
            self._plan(replica)

    def _call_ends(self, replica: Replica) -> None:
        replica.advance(self._now_s)
        call = replica.pop()
        if not replica.running and replica.host is not None:
            self._share(replica.host, -1)
        else:
            self._plan(replica)
        overhead_s = self._overheads[call.model]
        if overhead_s > 0:
            self._push(self._now_s + overhead_s, call, _ANSWER)
        else:
            self._answer(call)

    def _plan(self, replica: Replica) -> None:
        """Foretell the next end at a replica; what was foretold before is void."""
        replica.version += 1
        if replica.running:
            heappush(self._heap, (replica.next_end_s(), next(self._ticket), replica, replica.version))

    def _share(self, host: Host, more: int) -> None:
        """One more replica of a machine works, or one less: all that do change their speed."""
        host.busy += more
        for replica in host.replicas:
            replica.advance(self._now_s)
            replica.speed = host.speed(replica.engine)
            self._plan(replica)

    # -- faults -------------------------------------------------------------------------------------------

    def _other(self, thing: Replica | Call[Request], kind: int) -> None:
        if kind == _ANSWER:
            assert isinstance(thing, Call)
            self._answer(thing)
        elif kind == _VERDICT:
            assert isinstance(thing, Call)
            self._verdict(thing)
        elif kind == _FAULT:
            assert isinstance(thing, Call)
            self._broken(thing)
        else:
            assert isinstance(thing, Replica)
            (self._goes_down if kind == _DOWN else self._comes_up)(thing)

    def _goes_down(self, replica: Replica) -> None:
        replica.advance(self._now_s)
        was_busy = bool(replica.running)
        for call in replica.fail():
            self._push(self._now_s + self._cluster.detect_s, call, _FAULT)
        if was_busy and replica.host is not None:
            self._share(replica.host, -1)
        else:
            self._plan(replica)
        self._recount(replica)
        self._push_fault(replica, _UP, self._cluster.mttr_s)

    def _comes_up(self, replica: Replica) -> None:
        replica.advance(self._now_s)
        replica.is_up = True
        self._recount(replica)
        self._push_fault(replica, _DOWN, self._cluster.mtbf_s)

    def _recount(self, replica: Replica) -> None:
        running = self._fleet.refresh(replica.model)
        self._router.set_replicas(self._cluster.models[replica.model], running)

    def _push_fault(self, replica: Replica, kind: int, mean_s: float) -> None:
        self._push(self._now_s + float(self._fault_rng.exponential(mean_s)), replica, kind)

    def _push(self, at_s: float, thing: Replica | Call[Request], kind: int) -> None:
        heappush(self._heap, (at_s, next(self._ticket), thing, kind))

    def _close(self) -> None:
        outcome = self.outcome
        outcome.end_s = self._now_s
        for replica in self._fleet.all:
            replica.advance(self._now_s)
        whole_s = max(self._now_s, 1e-12)
        outcome.busy = [sum(r.busy_s for r in mine) / (len(mine) * whole_s) for mine in self._fleet.by_model]
