"""What costs a router far more than its bytes say is refused before it is decoded."""

import json
from time import process_time
from typing import Any

import msgspec
import pytest

from deployments.contract.errors import ClientError
from deployments.router.http.request import Endpoint, RoutedRequest, parse_request
from deployments.router.settings import Limits

MESSAGES = [{"role": "user", "content": "Hi"}]
MAX_S = 0.2  # of a machine that others use too; each row took longer before, and seconds at the worst


def ask(limits: Limits | None = None, **fields: Any) -> RoutedRequest:
    body = {"model": "m", **fields}
    endpoint = Endpoint.COMPLETIONS if "prompt" in fields else Endpoint.CHAT
    if endpoint is Endpoint.CHAT:
        body.setdefault("messages", MESSAGES)
    return parse_request(json.dumps(body).encode(), endpoint=endpoint, limits=limits or Limits())


def verified(**spec: Any) -> dict[str, Any]:
    return {"laar": {"verify": spec}}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(verified(type="exact", value=[1] * 1_390_000), r"^laar: \d+ bytes; at most 262144", id="values"),
        pytest.param(verified(type="exact", value=[1] * 60_000), r"value\.0: Input should be a valid str", id="fewer"),
        pytest.param(verified(type="choice", value="A", options=[1] * 60_000), r"options\.0", id="options"),
        pytest.param(verified(type="tool_call", calls=[1] * 60_000), r"calls\.0", id="calls"),
        pytest.param(verified(type="exact", value=["ﷺ" * 16_384] * 2), "more than 65536 char", id="expanding"),
        pytest.param({"laar": {f"k{i}": 1 for i in range(20_000)}}, "^laar: 20000 keys; at most 32", id="keys"),
        pytest.param(verified(**{f"k{i}": 1 for i in range(20_000)}), "^laar.verify: 20000 keys", id="verify-keys"),
        pytest.param({f"k{i}": 1 for i in range(300_000)}, "^k0: this field is unknown", id="fields"),
        pytest.param({"messages": MESSAGES * 100_000}, "^messages: more than the 16384 objects", id="messages"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text"}] * 120_000}]}, "16384 objects", id="parts"
        ),
        pytest.param({"messages": [{}] * 16_385}, "16384 objects", id="empty"),
        pytest.param({"logit_bias": {str(i): 1 for i in range(250_000)}}, r"^logit_bias: \d+ bytes", id="bias"),
        pytest.param({"metadata": [[]] * 900_000}, r"^metadata: \d+ bytes; at most 65536", id="metadata"),
        pytest.param({"prompt": ["a"] * 800_000}, "^prompt: 1600000 texts; at most 16384", id="texts"),
        pytest.param({"prompt": [[1]] * 600_000}, "^prompt: 600000 prompts with 1 answers each", id="lists-of-ids"),
        pytest.param({"prompt": ["a", *[1] * 900_000]}, r"^prompt\[1\]: Expected `str`", id="mixed"),
    ],
)
def test_body_that_would_hold_the_router_up_is_refused_by_name_and_at_once(fields: dict[str, Any], told: str) -> None:
    endpoint = Endpoint.COMPLETIONS if "prompt" in fields else Endpoint.CHAT
    body = msgspec.json.encode({"model": "m", **({} if "prompt" in fields else {"messages": MESSAGES}), **fields})
    started_s = process_time()
    with pytest.raises(ClientError, match=told):
        parse_request(body, endpoint=endpoint, limits=Limits(max_body_bytes=2**23))
    assert process_time() - started_s < MAX_S


@pytest.mark.parametrize(
    ("prompt", "tokens", "sequences"),
    [
        pytest.param("a { b [", 0, 1, id="text"),
        pytest.param(["a", "b, c", 'd"', "\\"], 0, 4, id="texts"),
        pytest.param([1, 2, 3], 3, 1, id="ids"),
        pytest.param([[1, 2], [3]], 3, 2, id="lists-of-ids"),
    ],
)
def test_prompts_of_every_form_are_counted(prompt: object, tokens: int, sequences: int) -> None:
    found = ask(prompt=prompt)
    assert (found.other_tokens, found.num_sequences, ask(prompt=prompt, n=3).num_sequences) == (
        tokens,
        sequences,
        3 * sequences,
    )


def test_long_text_full_of_json_is_no_object() -> None:
    for text in ('{"a": 1}', "{}", '\\"{', '"\\{', "{\n"):
        assert ask(messages=[{"role": "user", "content": text * 20_000}] * 2).num_sequences == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"prompt": ["a"] * 100, "n": 8}, "^n: 100 prompts with 8 answers each are 800 seq", id="prompts"),
        pytest.param({"prompt": ["a"] * 65}, "^prompt: 65 prompts .* at most 64 are allowed", id="only-prompts"),
        pytest.param({"n": 65}, "^n: 1 prompts with 65 answers each", id="answers"),
        pytest.param({"logprobs": 21, "prompt": "a"}, "^logprobs: 21 is asked for; 0 to 20", id="logprobs"),
        pytest.param({"prompt_logprobs": -1}, "^prompt_logprobs: -1 is asked for", id="vocabulary"),
        pytest.param({"logprobs": True, "top_logprobs": 21}, "^top_logprobs: 21", id="top-logprobs"),
        pytest.param({"logprob_token_ids": [1] * 21}, "^logprob_token_ids: 21", id="ids"),
        pytest.param({"use_beam_search": True}, "^use_beam_search: the operator has not", id="beam-search"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "image_url"}] * 33}]},
            "^messages: 33 parts that are not text; at most 32",
            id="images",
        ),
        pytest.param({"max_tokens": 101}, "^max_tokens: 101 is asked for; 0 to 100", id="tokens"),
        pytest.param({"max_completion_tokens": 101}, "^max_completion_tokens: 101", id="completion-tokens"),
        pytest.param({"min_tokens": 101, "ignore_eos": True}, "^min_tokens: 101", id="min-tokens"),
    ],
)
def test_request_that_is_the_work_of_many_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ClientError, match=told):
        ask(Limits(max_tokens=100), **fields)


def test_operator_may_allow_more() -> None:
    limits = Limits(max_sequences=800, max_logprobs=30, beam_search=True, max_media=0)
    assert ask(limits, prompt=["a"] * 100, n=8, logprobs=30, use_beam_search=True).num_sequences == 800


def test_request_without_a_token_limit_gets_the_operators() -> None:
    asked = [ask(Limits(max_tokens=100)), ask(Limits(max_tokens=100), max_tokens=7), ask()]
    assert [(found.max_tokens, found.has_token_limit) for found in asked] == [(100, False), (7, True), (None, False)]
