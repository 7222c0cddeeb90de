"""Requests of other APIs as chat requests, and chat answers in the words of those APIs."""

import json
import sys
from typing import Any

import pytest

from deployments.contract.errors import ClientError
from deployments.router.dialects.chat_message import Messages
from deployments.router.dialects.dialects import DIALECTS, in_dialect
from deployments.router.dialects.exchange import Exchange
from deployments.router.http.admission import Offer, admit
from deployments.router.http.request import Endpoint
from deployments.router.settings import Limits

OFFER = Offer(models=("m",), thinkers=frozenset({"m"}), custom_checks=frozenset(), limits=Limits())
RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"
SCHEMA = {"type": "object"}
WEATHER = {"name": "weather", "description": "d", "parameters": SCHEMA}
TOOL = {"type": "function", "function": WEATHER}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Wien"}'}}
SPACED_CALL = CALL | {"function": {"name": "weather", "arguments": '{"city": "Wien"}'}}
AUDIO = {"data": "AA", "format": "wav"}
USER = {"role": "user", "content": "Hi"}
IMAGE_URL = "data:image/png;base64,AA"
IMAGE = {"type": "image_url", "image_url": {"url": IMAGE_URL}}


def opened(path: str, **fields: Any) -> Exchange:
    least = {"input": "Hi"} if path == RESPONSES else {"messages": [USER], "max_tokens": 9}
    return DIALECTS[path].open(json.dumps({"model": "auto", **least, **fields}).encode())


def call_item(**more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Wien"}', **more}


@pytest.mark.parametrize(
    ("path", "fields", "chat"),
    [
        pytest.param(RESPONSES, {}, {"messages": [USER]}, id="text"),
        pytest.param(
            RESPONSES,
            {"instructions": "Be brief", "max_output_tokens": 5, "temperature": 0, "metadata": {"a": "b"}},
            {
                "messages": [{"role": "system", "content": "Be brief"}, USER],
                "max_completion_tokens": 5,
                "temperature": 0,
                "metadata": {"a": "b"},
            },
            id="instructions",
        ),
        pytest.param(
            RESPONSES,
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                    {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "t", "text": "hm"}]},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So"}]},
                    call_item(id="fc"),
                    call_item(call_id="c2"),
                    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                    {
                        "role": "assistant",
                        "reasoning": "hm",
                        "content": "So",
                        "tool_calls": [CALL, CALL | {"id": "c2"}],
                    },
                    {"role": "tool", "content": "rain", "tool_call_id": "c1"},
                ]
            },
            id="conversation",
        ),
        pytest.param(
            RESPONSES,
            {
                "input": [
                    {"role": "user", "content": "Hi"},
                    call_item(),
                    {"type": "message", "role": "assistant", "content": "I look."},
                    {"type": "reasoning", "summary": [{"type": "t", "text": "hm"}]},
                    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
                ]
            },
            {
                "messages": [
                    USER,
                    {"role": "assistant", "tool_calls": [CALL], "content": "I look.", "reasoning": "hm"},
                    {"role": "tool", "content": "rain", "tool_call_id": "c1"},
                ]
            },
            id="result follows the message with its call",
        ),
        pytest.param(
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": AUDIO}]}]},
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": AUDIO}]}]},
            id="audio",
        ),
        pytest.param(
            MESSAGES,
            {
                "messages": [
                    USER,
                    {"role": "assistant", "content": "Well, "},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "text", "text": "I "},
                            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Wien"}},
                            {"type": "text", "text": "look."},
                            {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Wien"}},
                        ],
                    },
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}]},
                ]
            },
            {
                "messages": [
                    USER,
                    {
                        "role": "assistant",
                        "content": "Well, I look.",
                        "tool_calls": [SPACED_CALL, SPACED_CALL | {"id": "c2"}],
                    },
                    {"role": "tool", "content": "rain", "tool_call_id": "c1"},
                ],
                "max_tokens": 9,
            },
            id="blocks of one turn are one message",
        ),
        pytest.param(
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": IMAGE_URL}]}]},
            {"messages": [{"role": "user", "content": [IMAGE]}]},
            id="image",
        ),
        pytest.param(
            RESPONSES,
            {"tools": [{"type": "function", **WEATHER}], "tool_choice": {"type": "function", "name": "weather"}},
            {"messages": [USER], "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
            id="tools",
        ),
        pytest.param(
            RESPONSES,
            {
                "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
                "reasoning": {"effort": "low"},
            },
            {
                "messages": [USER],
                "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
                "reasoning_effort": "low",
            },
            id="schema",
        ),
        pytest.param(
            RESPONSES,
            {"stream": True, "background": False, "truncation": "disabled", "include": [], "prompt": None},
            {"messages": [USER], "stream": True, "stream_options": {"include_usage": True}},
            id="what asks for nothing",
        ),
        pytest.param(
            MESSAGES,
            {"system": [{"type": "text", "text": "Be brief"}], "stop_sequences": ["x"], "top_k": 3},
            {
                "messages": [{"role": "system", "content": [{"type": "text", "text": "Be brief"}]}, USER],
                "max_tokens": 9,
                "stop": ["x"],
                "top_k": 3,
            },
            id="system",
        ),
        pytest.param(
            MESSAGES,
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "e"}}]},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "hm", "signature": ""},
                            {"type": "text", "text": "So"},
                            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Wien"}},
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "c1", "content": "rain"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
                        ],
                    },
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                    {
                        "role": "assistant",
                        "reasoning": "hm",
                        "content": "So",
                        "tool_calls": [SPACED_CALL],
                    },
                    {"role": "tool", "content": "rain", "tool_call_id": "c1"},
                    {"role": "user", "content": [IMAGE]},
                ],
                "max_tokens": 9,
            },
            id="messages conversation",
        ),
        pytest.param(
            MESSAGES,
            {
                "tools": [{"name": "weather", "description": "d", "input_schema": SCHEMA}],
                "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
                "thinking": {"type": "enabled", "budget_tokens": 7},
                "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            },
            {
                "messages": [USER],
                "max_tokens": 9,
                "tools": [TOOL],
                "tool_choice": "required",
                "parallel_tool_calls": False,
                "thinking_token_budget": 7,
                "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
            },
            id="messages tools",
        ),
    ],
)
def test_request_becomes_the_chat_request_that_asks_for_the_same(
    path: str, fields: dict[str, Any], chat: dict[str, Any]
) -> None:
    body = opened(path, **fields).body
    assert json.loads(body) == {"model": "auto", **chat}
    # chat takes it; an image or audio needs a model that reads it
    if (
        IMAGE_URL not in json.dumps(fields)
        and "image" not in json.dumps(fields)
        and AUDIO["format"] not in json.dumps(fields)
    ):
        admit(body, Endpoint.CHAT, OFFER)


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        pytest.param(RESPONSES, {"previous_response_id": "r"}, "previous_response_id", id="stored conversation"),
        pytest.param(RESPONSES, {"background": True}, "background", id="background"),
        pytest.param(RESPONSES, {"include": ["reasoning.encrypted_content"]}, "include", id="include"),
        pytest.param(RESPONSES, {"tools": [{"type": "web_search"}]}, "tools[0].type", id="hosted tool"),
        pytest.param(RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", id="item"),
        pytest.param(
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]},
            "input[0].content[0].type",
            id="file",
        ),
        pytest.param(
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {**AUDIO, "x": "y"}}]}]},
            "input[0].content[0].input_audio.x",
            id="field of audio",
        ),
        pytest.param(RESPONSES, {"input": [{"role": "x", "content": ""}]}, "input[0].role", id="role"),
        pytest.param(RESPONSES, {"reasoning": {"summary": "auto"}}, "reasoning.summary", id="summary"),
        pytest.param(RESPONSES, {"stream_options": {"include_obfuscation": True}}, "stream_options", id="obfuscation"),
        pytest.param(RESPONSES, {"messages": []}, "messages", id="chat field"),
        pytest.param(RESPONSES, {"input": {}}, "input", id="input is no list"),
        pytest.param(RESPONSES, {"input": []}, "input", id="empty input"),
        pytest.param(RESPONSES, {"max_output_tokens": -1}, "max_output_tokens", id="tokens"),
        pytest.param(RESPONSES, {"text": {"verbosity": "low"}}, "text.verbosity", id="verbosity"),
        pytest.param(RESPONSES, {"laar": {"x": 1}}, "laar.x", id="laar object"),
        pytest.param(MESSAGES, {"mcp_servers": [{}]}, "mcp_servers", id="mcp"),
        pytest.param(MESSAGES, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type", id="own tool"),
        pytest.param(
            MESSAGES,
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "messages[0].content[0].type",
            id="document",
        ),
        pytest.param(
            MESSAGES,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "", "x": 1}]}]},
            "messages[0].content[0].x",
            id="field of a block",
        ),
        pytest.param(
            MESSAGES,
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]},
                ]
            },
            "messages",
            id="image of an assistant",
        ),
        pytest.param(MESSAGES, {"max_tokens": None}, None, id="null tokens are the operator's"),
        pytest.param(MESSAGES, {"n": 2}, "n", id="unknown"),
        pytest.param(MESSAGES, {"thinking": {"type": "enabled"}}, "thinking.budget_tokens", id="budget"),
        pytest.param(MESSAGES, {"tool_choice": {"type": "tool"}}, "tool_choice.name", id="tool's name"),
        pytest.param(MESSAGES, {"stop_sequences": "x"}, "stop_sequences", id="stop is no list"),
    ],
)
def test_field_that_cannot_be_honoured_is_named_as_the_client_knows_it(
    path: str, fields: dict[str, Any], param: str | None
) -> None:
    if param is None:
        admit(opened(path, **fields).body, Endpoint.CHAT, OFFER)
        return
    with pytest.raises(ClientError, match=r"\S+: .") as refused:
        admit(opened(path, **fields).body, Endpoint.CHAT, OFFER)
    told = json.loads(in_dialect(path, refused.value.body(), 400, "laar-1"))
    assert str(told["error"]["param"]).startswith(param)
    assert told["error"]["message"].startswith(param)
    assert path == RESPONSES or (told["type"], told["error"]["type"]) == ("error", "invalid_request_error")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        pytest.param(RESPONSES, {"input": [{}] * 16_385}, id="items"),
        pytest.param(MESSAGES, {"messages": [{}] * 16_385}, id="messages"),
        pytest.param(MESSAGES, {"messages": [{"role": "user", "content": [{}] * 16_385}]}, id="parts"),
        pytest.param(MESSAGES, {"system": [{"text": ""}] * 16_385}, id="system"),
    ],
)
def test_objects_are_counted_before_they_are_decoded_and_empty_ones_too(path: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match=f"^{next(iter(fields))}: more than the 16384 objects"):
        opened(path, **fields)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        pytest.param(
            MESSAGES,
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "c", "name": "n", "input": {"x": "BAD"}}],
                    }
                ]
            },
            id="input of a call",
        ),
        pytest.param(MESSAGES, {"tools": [{"name": "n", "input_schema": {"title": "BAD"}}]}, id="tool of messages"),
        pytest.param(RESPONSES, {"tools": [{"type": "function", "name": "n", "parameters": {"x": "BAD"}}]}, id="tool"),
    ],
)
def test_bytes_that_are_no_text_are_the_clients_error(path: str, fields: dict[str, Any]) -> None:
    least = {"input": "Hi"} if path == RESPONSES else {"messages": [USER], "max_tokens": 9}
    body = json.dumps({"model": "auto", **least, **fields}).encode().replace(b"BAD", b"\xff")
    name = next(iter(fields))
    with pytest.raises(ClientError, match=f"^{name}: not valid JSON: 'utf-8'") as refused:
        DIALECTS[path].open(body)
    told = json.loads(in_dialect(path, refused.value.body(), refused.value.http_status, "laar-1"))
    assert (told["error"]["type"], refused.value.http_status) == ("invalid_request_error", 400)
    assert path == RESPONSES or told["type"] == "error"


def test_exchange_does_not_keep_the_clients_body() -> None:
    fields = {"model": "auto", "input": "Hi", "temperature": 0, "tools": [{"type": "function", "name": "n"}]}
    body = json.dumps(fields).encode()
    num_before = sys.getrefcount(body)
    exchange = DIALECTS[RESPONSES].open(body)
    assert sys.getrefcount(body) == num_before
    told = json.loads(exchange.answer(json.dumps(WHOLE).encode()))
    assert (told["temperature"], told["tools"]) == (0, fields["tools"])


def chunk(**fields: Any) -> bytes:
    data = {"id": "laar-1", "created": 3, "model": "m", **fields}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def delta(finish: str | None = None, **said: Any) -> bytes:
    return chunk(choices=[{"index": 0, "delta": said, "finish_reason": finish}])


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
LAAR = {"verified": True, "attempts": [{"model": "m", "verdict": "correct"}]}
CALLS = [{"index": 0, **CALL}]
STREAM = [
    b": laar is still verifying\n\n",
    delta(role="assistant", content=""),
    delta(reasoning="h") + delta(reasoning="m"),
    delta(content="W"),
    delta(content="ien"),
    # in pieces, by turns
    delta(tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{"}}]),
    delta(tool_calls=[{"index": 1, "id": "c2", "type": "function", "function": {"name": "time", "arguments": ""}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": "}"}}]),
    chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], laar=LAAR),
    chunk(choices=[], usage=USAGE),
    b"data: [DONE]\n\n",
]
WHOLE = {
    "id": "laar-1",
    "created": 3,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "reasoning": "hm",
                "content": "Wien",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
                    {"id": "c2", "type": "function", "function": {"name": "time", "arguments": ""}},
                ],
            },
        }
    ],
    "usage": USAGE,
    "laar": LAAR,
}


def events_of(exchange: Exchange, pieces: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for event in b"".join(map(exchange.events, pieces)).split(b"\n\n"):
        if event.startswith(b"event: "):
            name, _, data = event.partition(b"\ndata: ")
            fields = json.loads(data)
            assert fields["type"] == name.removeprefix(b"event: ").decode()
            found.append(fields)
    return found


def without_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in item.items() if key != "id"} for item in items]


def test_whole_answer_as_a_response() -> None:
    told = json.loads(opened(RESPONSES, temperature=0).answer(json.dumps(WHOLE).encode()))
    assert (told["id"], told["object"], told["status"], told["temperature"]) == ("laar-1", "response", "completed", 0)
    assert without_ids(told["output"]) == [
        {
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "hm"}],
            "status": "completed",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Wien", "annotations": [], "logprobs": []}],
            "status": "completed",
        },
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}", "status": "completed"},
        {"type": "function_call", "call_id": "c2", "name": "time", "arguments": "", "status": "completed"},
    ]
    assert (told["usage"]["input_tokens"], told["usage"]["output_tokens"], told["usage"]["total_tokens"]) == (5, 2, 7)
    assert told["laar"] == LAAR


def test_whole_answer_as_a_message() -> None:
    told = json.loads(opened(MESSAGES, cache_control={"type": "ephemeral"}).answer(json.dumps(WHOLE).encode()))
    assert told == {
        "id": "laar-1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "Wien"},
            {"type": "tool_use", "id": "c1", "name": "weather", "input": {}},
            {"type": "tool_use", "id": "c2", "name": "time", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 4, "output_tokens": 2, "cache_read_input_tokens": 1},
        "laar": LAAR | {"ignored": ["cache_control"]},
    }


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
def test_stream_tells_what_the_whole_answer_says(path: str) -> None:
    whole = json.loads(opened(path, stream=True).answer(json.dumps(WHOLE).encode()))
    stream = opened(path, stream=True)
    assert stream.events(STREAM[0]) == STREAM[0]
    events = events_of(stream, STREAM[1:])
    kinds = [event["type"] for event in events]
    if path == RESPONSES:
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert (kinds[:2], kinds[-1]) == (["response.created", "response.in_progress"], "response.completed")
        ended = events[-1]["response"]
        assert without_ids(ended["output"]) == without_ids(whole["output"])
        assert {**ended, "output": 0} == {**whole, "output": 0}
        done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        assert done == ended["output"]
        assert [e["delta"] for e in events if e["type"] == "response.output_text.delta"] == ["W", "ien"]
    else:
        assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
        assert events[0]["message"]["id"] == "laar-1"
        assert [e["content_block"]["type"] for e in events if e["type"] == "content_block_start"] == [
            "thinking",
            "text",
            "tool_use",
            "tool_use",
        ]
        assert "".join(e["delta"].get("text", "") for e in events if e["type"] == "content_block_delta") == "Wien"
        ended = events[-2]
        assert (ended["delta"]["stop_reason"], ended["usage"]) == (whole["stop_reason"], whole["usage"])
        assert ended["laar"] == LAAR


@pytest.mark.parametrize(
    ("choice", "status", "reason"),
    [
        pytest.param({"finish_reason": "stop"}, "completed", "end_turn", id="stop"),
        pytest.param({"finish_reason": "length"}, "incomplete", "max_tokens", id="length"),
        pytest.param({"finish_reason": "stop", "stop_reason": "END"}, "completed", "stop_sequence", id="sequence"),
        pytest.param({"finish_reason": "stop", "stop_reason": 42}, "completed", "end_turn", id="token id"),
        pytest.param({"finish_reason": "content_filter"}, "incomplete", "refusal", id="filter"),
        pytest.param({"finish_reason": "stop", "refusal": "No."}, "completed", "refusal", id="refusal"),
    ],
)
def test_end_of_an_answer(choice: dict[str, Any], status: str, reason: str) -> None:
    message = {"content": "Yes.", "refusal": choice.pop("refusal", None)}
    body = json.dumps({"id": "laar-1", "model": "m", "choices": [{**choice, "message": message}]}).encode()
    assert json.loads(opened(RESPONSES).answer(body))["status"] == status
    assert json.loads(opened(MESSAGES).answer(body))["stop_reason"] == reason


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
def test_answer_of_an_odd_server_is_an_answer(path: str) -> None:
    call = {"id": 7, "function": {"name": "weather", "arguments": {"city": "Wien"}}}
    message = {"content": [{"type": "text", "text": "So"}], "tool_calls": [call]}
    odd = {"created": 1.5, "model": None, "usage": {"prompt_tokens": None, "prompt_tokens_details": "x"}, "service": 1}
    body = json.dumps(
        {"id": 5, "laar": "x", "error": "", **odd, "choices": [{"finish_reason": "stop", "message": message}]}
    ).encode()
    whole = json.loads(opened(path).answer(body))
    assert whole["id"] == "5"
    assert [i.get("call_id", i["id"]) for i in whole.get("output") or whole["content"][1:]][-1] == "7"
    told = json.dumps(whole)
    assert "So" in told
    assert "Wien" in told


@pytest.mark.parametrize(
    ("path", "last"), [(RESPONSES, "response.failed"), (MESSAGES, "error")], ids=["responses", "messages"]
)
def test_error_in_a_stream_ends_it(path: str, last: str) -> None:
    empty = chunk(choices=None, error={})
    for error in (b'{"message":"broke","type":"x","param":null,"code":"y"}', b'"broke"'):
        ending = b'data: {"error":%b}\n\ndata: [DONE]\n\n' % error
        events = events_of(opened(path, stream=True), [delta(content="W"), empty, ending])
        assert events[-1]["type"] == last
        assert "broke" in json.dumps(events[-1])


def test_error_of_another_path_stays_as_it_is() -> None:
    assert in_dialect("/v1/chat/completions", b"x", 400, "laar-1") == b"x"
    assert json.loads(in_dialect("/v1/messages/x", b"no json", 404, "laar-1"))["error"]["type"] == "not_found_error"


class Unaddable(str):
    """Text that can be joined, but not added piece by piece, which takes the square of a turn's length."""

    __slots__ = ()

    def __add__(self, other: object) -> str:
        raise AssertionError("added")

    __radd__ = __add__


def test_a_turn_of_many_pieces_is_joined_once() -> None:
    messages = Messages()
    for _ in range(3):
        messages.said(Unaddable("a"))
        messages.thought(Unaddable("b"))
    messages.called("c1", "weather", "{}")
    messages.answered("c1", "sunny")
    messages.said("c")
    first, tool, last = messages.done()
    assert (first["content"], first["reasoning"], len(first["tool_calls"])) == ("aaa", "bbb", 1)
    assert (tool["content"], last) == ("sunny", {"role": "assistant", "content": "c"})
