import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from profiles.measures.trial import Trial, TrialAttempt
from scripts.bench.cost.peer_processes import served_by
from scripts.bench.publish.figures import SHORTEST_TIMED_S
from scripts.bench.ttca.clients import ClientReply, LaarClient, PeerClient
from scripts.bench.ttca.file import TrialFile
from scripts.bench.ttca.outcomes import Budget
from scripts.bench.ttca.plan import CONTENDERS, SendingMode, TtcaPlan, blocks_of, prompts_of
from scripts.bench.ttca.run import BEAT_S, Pulse, _Blocks, serve_block
from tests.unit.scripts.bench.ttca.test_plan import plan


class Watch:
    """Goes on one second each time it is read."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1
        return self.now_s


def sending() -> SendingMode:
    return SendingMode(prompt=prompts_of(plan())[0], session="user-1")


class Application:
    """Answers as laar does: each request is one attempt, right at the given one of all."""

    def __init__(self, right_at: int) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._right_at = right_at

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        right = len(self.bodies) == self._right_at
        attempt = {"model": "m", "latency_s": 0.5, "verdict": "correct" if right else "wrong"}
        text = sending().prompt.answer if right else "no idea"
        body = {
            "model": "m",
            "choices": [{"message": {"content": text}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4},
            "laar": {"attempts": [attempt]},
        }
        return httpx.Response(200, json=body)


def http(application: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url="http://test", transport=httpx.MockTransport(application))


def test_client_sends_the_same_anew_until_it_is_right() -> None:
    application = Application(right_at=3)
    client = LaarClient(http=http(application), contender=CONTENDERS["load-aware"], clock=Watch())
    served = asyncio.run(client.serve(sending(), salt="s", cap=10))
    assert [attempt.correct for attempt in served.tries] == [False, False, True]
    assert application.bodies[0] == application.bodies[2]
    options = application.bodies[0]["laar"]
    assert (options["policy"], options["max_attempts"], options["session"]) == ("load-aware", 1, "user-1")
    assert application.bodies[0]["cache_salt"] == "s"


def test_client_stops_at_the_cap() -> None:
    client = LaarClient(http=http(Application(right_at=99)), contender=CONTENDERS["fastest"], clock=Watch())
    served = asyncio.run(client.serve(sending(), salt="s", cap=4))
    assert len(served.tries) == 4
    assert served.error == ""


def test_laar_is_sent_one_request_with_all_attempts_in_it() -> None:
    application = Application(right_at=1)
    client = LaarClient(http=http(application), contender=CONTENDERS["laar"], clock=Watch())
    served = asyncio.run(client.serve(sending(), salt="s", cap=10))
    assert served.tries == (TrialAttempt(model="m", started_s=0.0, latency_s=0.5, correct=True),)
    assert application.bodies[0]["laar"]["max_attempts"] == 10


def test_answers_of_a_peer_are_checked_by_the_client() -> None:
    application = Application(right_at=2)
    client = PeerClient(http=http(application), model="any", served_by=served_by, clock=Watch())
    served = asyncio.run(client.serve(sending(), salt="s", cap=10))
    assert [attempt.correct for attempt in served.tries] == [False, True]
    assert "laar" not in application.bodies[0]


def test_error_counts_as_an_attempt_and_is_told() -> None:
    client = PeerClient(
        http=http(lambda _: httpx.Response(503, text="busy")), model="any", served_by=served_by, clock=Watch()
    )
    served = asyncio.run(client.serve(sending(), salt="s", cap=2))
    assert len(served.tries) == 2
    assert served.error == "status 503: busy"


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"choices": []}', b"[]"], ids=["torn", "empty", "no-choice", "list"])
def test_answer_that_is_none_is_told_and_does_not_end_the_run(body: bytes) -> None:
    client = PeerClient(
        http=http(lambda _: httpx.Response(200, content=body)), model="any", served_by=served_by, clock=Watch()
    )
    served = asyncio.run(client.serve(sending(), salt="s", cap=1))
    assert served.error.startswith("no answer: ")


class Slow:
    """Takes one second for each prompt, and counts how many it has at once."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def serve(self, sending: SendingMode, *, salt: str, cap: int) -> ClientReply:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return ClientReply(tries=(TrialAttempt(model="m", started_s=0.0, latency_s=1.0, correct=True),))


def served(made: TtcaPlan, client: Slow) -> list[Trial]:
    block = blocks_of(made, prompts_of(made))[0]
    clients = made.concurrency if made.mode == "closed" else None
    return asyncio.run(
        serve_block(client, block, policy="laar", number=0, salt="", cap=made.cap, clients=clients, clock=Watch())
    )


def test_closed_loop_has_no_more_at_once_than_clients() -> None:
    client = Slow()
    made = plan(blocks=1, concurrency=3)
    trials = served(made, client)
    assert client.most == 3
    assert [trial.prompt_id for trial in trials] == [s.prompt.id for s in blocks_of(made, prompts_of(made))[0]]


def test_time_in_an_open_loop_runs_from_when_the_request_was_due(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("\n".join("0" for _ in range(12)))
    trials = served(plan(blocks=1, mode="trace", trace=str(trace)), Slow())
    assert {trial.sent_s for trial in trials} == {0.0}
    assert max(trial.elapsed_s for trial in trials) >= 12


def test_a_pulse_counts_every_timer_that_is_due_while_its_loop_is_held_up() -> None:
    # due at 1.02 and 1.04 s; the watch is a second on at each look, and shows 3 and 5 s when they fire
    pulse = Pulse(Watch())

    async def twice() -> None:
        beating = asyncio.create_task(pulse.beat())
        for _ in range(3):
            await asyncio.sleep(0)
        beating.cancel()

    assert BEAT_S == SHORTEST_TIMED_S / 5 == 0.02
    assert pulse.mean_since(0, 0.0) is None
    asyncio.run(twice())
    assert pulse.beats == 2
    assert pulse.mean_since(0, 0.0) == pytest.approx((1.98 + 3.96) / 2)


def test_trial_has_how_late_the_client_was() -> None:
    trials = served(plan(blocks=1), Slow())
    assert all(trial.client_late_s is not None and trial.client_late_s > BEAT_S for trial in trials)


def test_lateness_of_a_time_is_that_since_its_start() -> None:
    pulse = Pulse(Watch())
    pulse.beats, pulse.late_s = 3, 0.5
    assert pulse.mean_since(1, 0.1) == pytest.approx(0.2)
    assert pulse.mean_since(3, 0.5) is None


def salts(folder: Path) -> list[str]:
    """Those of a run of two policies over two blocks, wrong to the end."""
    application, made = Application(right_at=0), plan(blocks=2)
    with TrialFile(folder / "trials", HEAD) as file:
        blocks = _Blocks(
            made, url="", http=http(application), models=["m"], file=file, clock=Watch(), console=Console(quiet=True)
        )
        assert asyncio.run(blocks.run(blocks_of(made, prompts_of(made)), made.policies, Budget(None, Watch()))) == []
    return list(dict.fromkeys(body["cache_salt"] for body in application.bodies))


def test_no_block_of_this_or_an_earlier_run_shares_its_salt_with_another(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    found = salts(tmp_path) + salts(tmp_path / "again")
    assert len(found) == len(set(found)) == 8


HEAD = {"laar_ttca": 1, "parameters": {"seed": 1}, "environment": {}}


def trial(policy: str, block: int, prompt: str) -> Trial:
    return Trial(
        policy=policy,
        block=block,
        prompt_id=prompt,
        task="t",
        language="en",
        target_tokens=1,
        session="",
        sent_s=0.0,
        elapsed_s=1.0,
        tries=(),
    )


def test_file_goes_on_with_the_blocks_that_it_lacks(tmp_path: Path) -> None:
    with TrialFile(tmp_path / "trials", HEAD) as file:
        file.add([trial("laar", 0, "a"), trial("laar", 0, "b")])
    with TrialFile(tmp_path / "trials", HEAD) as file:
        assert file.has("laar", 0)
        assert not file.has("laar", 1)


def test_file_says_where_it_was_gone_on_with_before_what_was_added(tmp_path: Path) -> None:
    for block in range(2):
        with TrialFile(tmp_path / "trials", HEAD | {"environment": {"niceness": block}}) as file:
            file.add([trial("laar", block, "a")])
            file.add([trial("cascade", block, "a")])
    with TrialFile(tmp_path / "trials", HEAD):
        pass
    lines = [json.loads(line) for line in (tmp_path / "trials").read_text().splitlines()]
    assert lines[0]["environment"] == {"niceness": 0}
    assert [line.get("resumed", line.get("policy")) for line in lines[1:]] == [
        "laar",
        "cascade",
        {"niceness": 1},
        "laar",
        "cascade",
    ]


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(slice(-5), id="in the block that was added"),
        pytest.param(slice(20), id="in the line before it"),
        pytest.param(slice(3), id="at the beginning of that"),
    ],
)
def test_kill_after_going_on_leaves_what_was_there_before(tmp_path: Path, cut: slice) -> None:
    path = tmp_path / "trials"
    with TrialFile(path, HEAD) as file:
        file.add([trial("laar", 0, "a"), trial("laar", 0, "b")])
    size = len(path.read_bytes())
    with TrialFile(path, HEAD) as file:
        file.add([trial("laar", 1, "c")])
    content = path.read_bytes()
    path.write_bytes(content[:size] + content[size:][cut])
    with TrialFile(path, HEAD) as file:
        assert file.has("laar", 0)
        assert not file.has("laar", 1)
    assert len(path.read_text().splitlines()) == 3


def test_block_that_a_kill_tore_is_served_again(tmp_path: Path) -> None:
    path = tmp_path / "trials"
    with TrialFile(path, HEAD) as file:
        file.add([trial("laar", 0, "a")])
        file.add([trial("laar", 1, "b"), trial("laar", 1, "c")])
    path.write_bytes(path.read_bytes()[:-5])
    with TrialFile(path, HEAD) as file:
        assert file.has("laar", 0)
        assert not file.has("laar", 1)
    assert len(path.read_text().splitlines()) == 2


def test_trials_of_another_plan_are_not_gone_on_with(tmp_path: Path) -> None:
    with TrialFile(tmp_path / "trials", HEAD):
        pass
    with pytest.raises(ValueError, match="another plan: seed was 1, is now 2"):
        TrialFile(tmp_path / "trials", HEAD | {"parameters": {"seed": 2}})
