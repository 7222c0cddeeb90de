from typing import Any

import pytest

from deployments.contract.reply import Chunk, Reply
from deployments.contract.verdict import AskedJudge
from deployments.router.attempt.cost import cost_of
from deployments.router.attempt.tries import Attempt, Status
from deployments.router.model import Price
from deployments.router.tenants.allowance import Cost

PRICES = {"m": Price(prompt_per_million=1.0, output_per_million=10.0)}


def attempt(reply: Reply | None, status: Status = Status.CORRECT, model: str = "m", **more: Any) -> Attempt:
    return Attempt(
        model=model,
        status=status,
        reason="",
        latency_s=1.0,
        probability=0.5,
        prompt_tokens=100,
        reply=reply,
        **more,
    )


COUNTED = Reply(200, b"", prompt_tokens=80, output_tokens=20)
UNREAD = Reply(200, b"", output_tokens=20)
HELD = Reply(200, b"", chunks=(Chunk(b"", num_tokens=7),))


@pytest.mark.parametrize(
    ("attempts", "cost"),
    [
        pytest.param([attempt(COUNTED)], Cost(tokens=100, spend=280e-6), id="counted"),
        pytest.param(
            [attempt(COUNTED, judges=(AskedJudge("m", 30, 2), AskedJudge("free", 5, 1)))],
            Cost(tokens=138, spend=330e-6),
            id="judged",
        ),
        pytest.param([attempt(UNREAD)] * 2, Cost(tokens=240, spend=600e-6), id="each-attempt"),
        pytest.param([attempt(HELD)], Cost(tokens=107, spend=170e-6), id="held"),
        pytest.param(
            [attempt(None, Status.UNVERIFIED, written_tokens=5)], Cost(tokens=105, spend=150e-6), id="streamed"
        ),
        pytest.param([attempt(None, Status.CANCELLED, written_tokens=5)], Cost(tokens=105, spend=150e-6), id="left"),
        pytest.param([attempt(Reply(400, b"{}"), Status.ERROR)], Cost(), id="refused"),
        pytest.param([attempt(UNREAD, model="free")], Cost(tokens=120), id="free"),
        pytest.param(
            [attempt(None, Status.ERROR)] * 2 + [attempt(None, Status.UNVERIFIED, written_tokens=400)],
            Cost(tokens=500, spend=4100e-6),
            id="failed-before-it-streamed",
        ),
        pytest.param([attempt(None, Status.TIMEOUT, is_silent=True, written_tokens=9)], Cost(), id="silent"),
        pytest.param([], Cost(), id="nothing"),
    ],
)
def test_all_attempts_are_charged_at_their_models_price(attempts: list[Attempt], cost: Cost) -> None:
    found = cost_of(attempts, PRICES)
    assert found.tokens == cost.tokens
    assert found.spend == pytest.approx(cost.spend)
