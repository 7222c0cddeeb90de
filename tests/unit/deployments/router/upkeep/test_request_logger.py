from dataclasses import replace

import numpy as np
import pytest

from deployments.contract.errors import LogUnavailableError
from deployments.contract.reply import Reply
from deployments.contract.secret import Secrets
from deployments.log.writing.log_records import RequestRecord
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import Attempt, Status, Tries
from deployments.router.choice.candidates import Demand
from deployments.router.choice.policy import PolicyName
from deployments.router.http.request import Endpoint, LaarOptions, RoutedRequest
from deployments.router.tenants.tenant import Tenant
from deployments.router.text.features import Features
from deployments.router.upkeep.request_logger import RequestLogger
from deployments.verifier.checks.values.contains import Contains

WRONG = Attempt(model="a", status=Status.WRONG, reason="missing", latency_s=1.0, probability=0.9, bucket="<=128")
RIGHT = Attempt(
    model="b",
    status=Status.CORRECT,
    reason="matched",
    latency_s=2.0,
    probability=0.4,
    prompt_tokens=7,
    reply=Reply(200, b"{}", text="right\0", prompt_tokens=8, output_tokens=3),
)
EARLIER = "laar-" + "0" * 32


SECRET = Secrets(b"of the operator")


def served(*attempts: Attempt, model: str = "auto", policy: PolicyName | None = None) -> ServedRequest:
    options = LaarOptions(retry_of=EARLIER, policy=policy)
    request = RoutedRequest(
        endpoint=Endpoint.CHAT,
        body=b"12345",
        model=model,
        texts=("Be brief.", "Hi"),
        stream=False,
        max_tokens=None,
        is_repeatable=True,
        options=options,
        verify=Contains(type="contains", value="right"),
        tenant=Tenant(id="hash", name="t"),
    )
    features = Features(language="de", language_confidence=1.0, num_chars=11, symbol_share=0.0, task="sums")
    log = Tries(max_attempts=9, deadline_at_s=99.0, is_repeatable=True, attempts=list(attempts))
    return ServedRequest(
        request_id="laar-1",
        request=request,
        features=features,
        demand=Demand(
            task="sums",
            language="de",
            prompt_tokens=np.zeros(0),
            buckets=np.zeros(0, np.intp),
            output_tokens=np.zeros(0),
            idle_s=np.zeros(0),
        ),
        log=log,
        turn=0,
        arrived_s=50.0,
        bucket_label="<=128",
    )


class Bench:
    """A recorder whose clock says that 3.5 s have passed, at 1000 s since 1970."""

    def __init__(self, *, stores_prompts: bool = False) -> None:
        self.records: list[RequestRecord] = []
        self.is_full = False
        self.recorder = RequestLogger(
            record=self.record,
            replica="r1",
            policy="fastest",
            stores_prompts=stores_prompts,
            secrets=SECRET,
            clock=lambda: 53.5,
            wall=lambda: 1000.0,
        )

    def record(self, record: RequestRecord) -> None:
        if self.is_full:
            raise LogUnavailableError("full")
        self.records.append(record)


def test_request_with_an_answer_is_recorded_in_full() -> None:
    bench = Bench()
    bench.recorder.answer_ready(served(WRONG, RIGHT), RIGHT)
    (found,) = bench.records
    assert (found.arrived_at_s, found.duration_s, found.ttca_s, found.status) == (996.5, 3.5, 3.5, 200)
    assert (found.verified, found.answer_index, found.retry_of, found.api_key_hash) == (True, 1, EARLIER, "hash")
    assert (found.task, found.language, found.bucket, found.replica) == ("sums", "de", "<=128", "r1")
    assert (found.prompt_chars, found.body_bytes) == (11, 5)
    assert found.prompt_hash == SECRET.digest("prompt", "Be brief.\nHi")
    assert [(a.model, a.verdict, a.reason) for a in found.attempts] == [
        ("a", "wrong", "missing"),
        ("b", "correct", "matched"),
    ]


@pytest.mark.parametrize(
    ("model", "named", "expected"),
    [
        pytest.param("auto", None, "fastest", id="the-applications-own"),
        pytest.param("auto", "laar", "laar", id="the-requests"),
        pytest.param("a", None, None, id="none-for-a-named-model"),
    ],
)
def test_policy_that_chose_is_recorded(model: str, named: PolicyName | None, expected: str | None) -> None:
    bench = Bench()
    bench.recorder.request_ended(served(model=model, policy=named), 503)
    assert [record.policy for record in bench.records] == [expected]


def test_the_trace_that_a_request_is_part_of_is_recorded() -> None:
    bench = Bench()
    of_a_trace = replace(served(RIGHT), forwarded={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    for each in (of_a_trace, replace(served(RIGHT), request_id="laar-2")):
        bench.recorder.answer_ready(each, RIGHT)
    assert [record.trace_id for record in bench.records] == ["a" * 32, None]


def test_tokens_are_those_that_the_engine_counted_else_the_estimate() -> None:
    bench = Bench()
    bench.recorder.answer_ready(served(WRONG, RIGHT), RIGHT)
    assert [(a.prompt_tokens, a.output_tokens) for a in bench.records[0].attempts] == [(0, None), (8, 3)]


def test_texts_are_kept_only_where_the_operator_wants_them() -> None:
    without, with_texts = Bench(), Bench(stores_prompts=True)
    for bench in (without, with_texts):
        bench.recorder.answer_ready(served(WRONG, RIGHT), RIGHT)
    assert (without.records[0].prompt_text, without.records[0].attempts[1].answer_text) == (None, None)
    assert with_texts.records[0].prompt_text == "Be brief.\nHi"
    assert [a.answer_text for a in with_texts.records[0].attempts] == [None, "right\ufffd"]


def test_answered_request_is_recorded_once() -> None:
    bench = Bench()
    found = served(RIGHT)
    for _ in range(2):
        bench.recorder.answer_ready(found, RIGHT)
    bench.recorder.request_ended(found, 200)
    assert len(bench.records) == 1


@pytest.mark.parametrize("status", [pytest.param(499, id="client-left"), pytest.param(503, id="no-model")])
def test_request_without_an_answer_is_recorded_when_it_ends(status: int) -> None:
    bench = Bench()
    bench.recorder.request_ended(served(WRONG), status)
    (found,) = bench.records
    assert (found.status, found.verified, found.answer_index, found.ttca_s) == (status, False, None, None)


def test_answer_that_could_not_be_recorded_is_not_taken_for_recorded() -> None:
    bench = Bench()
    bench.is_full = True
    with pytest.raises(LogUnavailableError, match="full"):
        bench.recorder.answer_ready(served(RIGHT), RIGHT)
    bench.is_full = False
    bench.recorder.request_ended(served(RIGHT), 503)
    assert [record.status for record in bench.records] == [503]
