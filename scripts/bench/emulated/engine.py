"""Emulated engines: replicas of the simulator on a real clock, behind which recorded answers wait their time."""

import asyncio
from heapq import heapify
from math import inf

from scripts.simulate.core.engine import Call, Engine, Host, Replica, slowdowns


class EmulatedHost:
    """A machine that engines share, with the clock of the loop; must be made where the loop runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = Host()
        self._timer: asyncio.TimerHandle | None = None

    def replica(self, engine: Engine) -> Replica:
        return Replica(engine, model=0, slowdown=slowdowns(engine), host=self._host)

    def advance(self) -> None:
        """Do the work until now. An answer ends when it is due, however late the timer is."""
        now_s, replicas = self._loop.time(), self._host.replicas
        while running := [replica for replica in replicas if replica.running]:
            first = min(running, key=Replica.next_end_s)
            if (due_s := first.next_end_s()) > now_s:
                break
            self._to(due_s)
            ended: Call[asyncio.Future[None]] = first.pop()
            if not ended.request.done():
                ended.request.set_result(None)
            self._share()
        self._to(now_s)

    def go_on(self) -> None:
        """After a change: speeds, and when the next answer ends if nothing else happens before."""
        self._share()
        if self._timer is not None:
            self._timer.cancel()
        due_s = min((replica.next_end_s() for replica in self._host.replicas if replica.running), default=None)
        self._timer = None if due_s is None else self._loop.call_at(due_s, self._wake)

    def _wake(self) -> None:
        self.advance()
        self.go_on()

    def _to(self, at_s: float) -> None:
        for replica in self._host.replicas:
            replica.advance(max(at_s, replica.at_s))

    def _share(self) -> None:
        self._host.busy = sum(bool(replica.running) for replica in self._host.replicas)
        for replica in self._host.replicas:
            replica.speed = self._host.speed(replica.engine)


class EmulatedEngine:
    """Answers take as long as `Replica` says: slots, a queue, reading and writing that slow one another.

    An attempt whose client leaves makes room for the next one.
    """

    def __init__(self, engine: Engine, host: EmulatedHost) -> None:
        self._engine, self._host, self._replica = engine, host, host.replica(engine)

    async def work(self, *, prompt_tokens: float, output_tokens: float) -> None:
        """Return when the engine has read and written so many tokens."""
        self._host.advance()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        call = Call(done, 0, prompt_tokens=prompt_tokens, output_tokens=output_tokens, sent_s=self._replica.at_s)
        self._replica.submit(call)
        self._host.go_on()
        try:
            await done
        except asyncio.CancelledError:
            self._drop(call)
            raise
        await asyncio.sleep(self._engine.overhead_s)

    def _drop(self, call: Call[asyncio.Future[None]]) -> None:
        self._host.advance()
        replica = self._replica
        if call in replica.waiting:
            replica.waiting.remove(call)
            replica.in_flight -= 1
        left = [entry for entry in replica.running if entry[2] is not call]
        if len(left) < len(replica.running):
            # `pop` takes the first, and lets in who waits
            replica.running = [(-inf, next(replica.ticket), call), *left]
            heapify(replica.running)
            replica.pop()
        self._host.go_on()
