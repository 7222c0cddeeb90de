"""Contract with the installed Ray Serve LLM and vLLM: what laar relies on, held against their own classes."""

from typing import Any

import pytest
from ray.serve.llm.openai_api_models import ChatCompletionRequest, ChatCompletionResponse, CompletionRequest

from deployments.engines.ray_llm import _to_reply
from deployments.router.http.fields import CLOSED_FIELDS, OPEN_FIELDS
from deployments.router.http.request import Endpoint

REQUEST_TYPES = {Endpoint.CHAT: ChatCompletionRequest, Endpoint.COMPLETIONS: CompletionRequest}


@pytest.mark.parametrize("endpoint", Endpoint)
def test_every_field_of_the_engine_is_open_or_closed_by_decision(endpoint: Endpoint) -> None:
    theirs = set(REQUEST_TYPES[endpoint].model_fields)
    assert theirs - OPEN_FIELDS[endpoint] - CLOSED_FIELDS == set(), "new in the engine: open them or close them"
    assert OPEN_FIELDS[endpoint] - theirs == set(), "gone from the engine: no longer open"


def test_closed_fields_are_fields_of_the_engine_and_not_open() -> None:
    theirs = {name for request_type in REQUEST_TYPES.values() for name in request_type.model_fields}
    assert CLOSED_FIELDS - theirs == set()
    assert CLOSED_FIELDS & frozenset().union(*OPEN_FIELDS.values()) == set()


def response(message: dict[str, Any], finish_reason: str) -> ChatCompletionResponse:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return ChatCompletionResponse.model_validate({"model": "m", "choices": [choice], "usage": usage})


def test_why_an_answer_ended_and_what_it_calls_are_read() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}
    found = _to_reply(response({"content": None, "tool_calls": [call]}, "tool_calls"))
    assert (found.text, found.finish_reason, found.output_tokens) == ("", "tool_calls", 2)
    assert [(said.name, said.arguments) for said in found.tool_calls] == [("find", '{"a": 1}')]


def test_an_answer_that_its_limit_cut_says_so() -> None:
    found = _to_reply(response({"content": "It is 12"}, "length"))
    assert (found.text, found.finish_reason, found.tool_calls) == ("It is 12", "length", ())
