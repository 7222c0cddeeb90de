"""Contract with the installed Ray Serve LLM and vLLM: what laar relies on, held against their own classes."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openai.types import completion_create_params as openai_completions
from openai.types.chat import completion_create_params as openai_chat
from ray.serve.llm import LLMConfig, ModelLoadingConfig
from ray.serve.llm.openai_api_models import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatCompletionStreamResponse,
    CompletionRequest,
    CompletionResponse,
    CompletionStreamResponse,
    ErrorResponse,
)
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast
from vllm.entrypoints.openai.models.protocol import LoRAModulePath

from deployments.contract.reply import Chunk, Reply, reply_of, unpacked
from deployments.contract.verdict import ToolCall
from deployments.engines.engine_configs import PASSED_ON, REFUSED
from deployments.engines.openai_answers import StreamReader, failure, unchanged
from deployments.engines.ray_llm import ModelServer, to_reply
from deployments.router.http.fields import CLOSED_FIELDS, IGNORED_FIELDS, OPEN_FIELDS, REFUSED_FIELDS
from deployments.router.http.request import Endpoint

pytestmark = pytest.mark.serve
REQUEST_TYPES = {Endpoint.CHAT: ChatCompletionRequest, Endpoint.COMPLETIONS: CompletionRequest}
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
LOGPROBS = {"content": [{"token": "Par", "logprob": -0.1, "bytes": [80], "top_logprobs": []}]}
CALL = {"id": "call-1", "type": "function", "function": {"name": "find", "arguments": '{"a":1}'}}

Writing = Callable[[Any], str]
WRITINGS = [
    pytest.param(lambda model: model.model_dump_json(exclude_unset=True), id="as-vllm-does"),
    pytest.param(lambda model: model.model_dump_json(), id="with-defaults"),
    pytest.param(lambda model: json.dumps(model.model_dump(mode="json", exclude_unset=True)), id="spaced"),
    pytest.param(lambda model: json.dumps(model.model_dump(mode="json"), separators=(" , ", " : ")), id="wide"),
]


def test_every_field_of_an_llm_config_is_passed_on_or_refused() -> None:
    refused = {key for section, key in REFUSED if section == "llm_config"}
    assert {*PASSED_ON["llm_config"], *refused} == set(LLMConfig.model_fields)
    assert set(PASSED_ON["llm_config.model_loading_config"]) == set(ModelLoadingConfig.model_fields)


def delta(finish_reason: str | None = None, logprobs: Any = None, **fields: Any) -> ChatCompletionStreamResponse:
    choice = {"index": 0, "delta": fields, "finish_reason": finish_reason, "logprobs": logprobs}
    return ChatCompletionStreamResponse.model_validate({"id": "x", "model": "m", "choices": [choice]})


def piece(text: str, finish_reason: str | None = None) -> CompletionStreamResponse:
    choice = {"index": 0, "text": text, "finish_reason": finish_reason}
    return CompletionStreamResponse.model_validate({"id": "x", "model": "m", "choices": [choice]})


def usage_of(response_type: Any) -> Any:
    return response_type.model_validate({"id": "x", "model": "m", "choices": [], "usage": USAGE})


def stream(writing: Writing, *responses: Any) -> list[Chunk | Reply]:
    events = [f"data: {writing(response)}\n\n" for response in responses]
    reader = StreamReader(unchanged, failure)
    return reader.feed("".join([*events, "data: [DONE]\n\n"]).encode())


def read(writing: Writing, *responses: Any) -> Reply:
    chunks = [chunk for chunk in stream(writing, *responses) if isinstance(chunk, Chunk)]
    assert [chunk.is_last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    closing = next(chunk for chunk in chunks if chunk.finish_reason is not None)
    assert closing.events.endswith(b"}\n\n")
    return reply_of(chunks)


@pytest.mark.parametrize("endpoint", Endpoint)
def test_every_field_of_the_engine_is_open_or_closed_by_decision(endpoint: Endpoint) -> None:
    theirs = set(REQUEST_TYPES[endpoint].model_fields)
    assert theirs - OPEN_FIELDS[endpoint] - CLOSED_FIELDS == set(), "new in the engine: open them or close them"
    assert OPEN_FIELDS[endpoint] - theirs == set(), "gone from the engine: no longer open"


@pytest.mark.parametrize(
    ("endpoint", "theirs"),
    [
        pytest.param("chat", openai_chat.CompletionCreateParamsBase, id="chat"),
        pytest.param("completions", openai_completions.CompletionCreateParamsBase, id="completions"),
    ],
)
def test_every_parameter_of_openais_client_is_taken_or_refused_knowingly(endpoint: str, theirs: Any) -> None:
    known = OPEN_FIELDS[endpoint] | IGNORED_FIELDS | REFUSED_FIELDS.keys()
    assert set(theirs.__annotations__) - known == set()


def test_ignored_and_refused_fields_are_not_open() -> None:
    is_open = frozenset().union(*OPEN_FIELDS.values())
    assert (IGNORED_FIELDS | REFUSED_FIELDS.keys()) & is_open == set()
    assert IGNORED_FIELDS & REFUSED_FIELDS.keys() == set()


def test_closed_fields_are_fields_of_the_engine_and_not_open() -> None:
    theirs = {name for request_type in REQUEST_TYPES.values() for name in request_type.model_fields}
    assert CLOSED_FIELDS - theirs == set()
    assert CLOSED_FIELDS & frozenset().union(*OPEN_FIELDS.values()) == set()


@pytest.mark.parametrize("writing", WRITINGS)
def test_chat_stream_is_read(writing: Writing) -> None:
    parts = [delta(role="assistant", content=""), delta(content="Par"), delta("stop", content="is")]
    found = read(writing, *parts, usage_of(ChatCompletionStreamResponse))
    assert (found.text, found.finish_reason, found.tool_calls) == ("Paris", "stop", ())
    assert sum(chunk.num_tokens for chunk in found.chunks) == 2


@pytest.mark.parametrize("writing", WRITINGS)
def test_completion_stream_is_read(writing: Writing) -> None:
    found = read(writing, piece("Par"), piece("is", "length"), usage_of(CompletionStreamResponse))
    assert (found.text, found.finish_reason) == ("Paris", "length")
    assert sum(chunk.num_tokens for chunk in found.chunks) == 2


@pytest.mark.parametrize("writing", WRITINGS)
def test_thoughts_and_logprobs_are_no_answer(writing: Writing) -> None:
    found = read(writing, delta(reasoning="Hm."), delta("stop", LOGPROBS, content="Paris"))
    assert (found.text, found.finish_reason) == ("Paris", "stop")
    assert sum(chunk.num_tokens for chunk in found.chunks) == 2


@pytest.mark.parametrize("writing", WRITINGS)
def test_tool_call_in_a_stream_is_read(writing: Writing) -> None:
    begins = delta(tool_calls=[{"index": 0, "id": "x", "type": "function", "function": {"name": "find"}}])
    goes_on = [delta(tool_calls=[{"index": 0, "function": {"arguments": part}}]) for part in ('{"a"', ":1}")]
    found = read(writing, begins, *goes_on, delta("tool_calls"))
    assert (found.text, found.finish_reason) == ("", "tool_calls")
    assert found.tool_calls == (ToolCall(name="find", arguments='{"a":1}'),)
    assert sum(chunk.num_tokens for chunk in found.chunks) == 2


@pytest.mark.parametrize("writing", WRITINGS)
def test_error_in_a_stream_is_read(writing: Writing) -> None:
    error = {"message": "out of memory", "type": "InternalServerError", "code": 500}
    before, failed = stream(writing, delta(content="a"), ErrorResponse.model_validate({"error": error}))
    assert isinstance(before, Chunk)
    assert isinstance(failed, Reply)
    assert (failed.status, json.loads(failed.body)["error"]["message"]) == (500, "out of memory")


def test_whole_chat_answer_is_read() -> None:
    message = {"role": "assistant", "content": "Paris", "reasoning": "Hm.", "tool_calls": [CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": LOGPROBS}
    found = to_reply(
        ChatCompletionResponse.model_validate({"id": "x", "model": "m", "choices": [choice], "usage": USAGE})
    )
    assert (found.status, found.text, found.finish_reason) == (200, "Paris", "stop")
    assert (found.prompt_tokens, found.output_tokens) == (7, 2)
    assert found.tool_calls == (ToolCall(name="find", arguments='{"a":1}'),)
    assert json.loads(found.body)["choices"][0]["message"]["content"] == "Paris"


def test_whole_completion_is_read() -> None:
    choice = {"index": 0, "text": "Paris", "finish_reason": "length"}
    found = to_reply(CompletionResponse.model_validate({"id": "x", "model": "m", "choices": [choice], "usage": USAGE}))
    assert (found.text, found.finish_reason, found.output_tokens) == ("Paris", "length", 2)


def test_error_in_the_place_of_an_answer_is_read() -> None:
    error = {"message": "too long", "type": "BadRequestError", "param": "messages", "code": 400}
    found = to_reply(ErrorResponse.model_validate({"error": error}))
    told = error | {"type": "invalid_request_error", "code": "invalid_value"}
    assert (found.status, json.loads(found.body)) == (400, {"error": told})


class Server(ModelServer):
    """A server whose engine gives what a test says; nothing of Ray is started."""

    def __init__(self, *given: Any) -> None:
        adapters = [LoRAModulePath(name="adapter", path="/a")]
        self._llm_config = type("Config", (), {"model_id": "m", "engine_kwargs": {"lora_modules": adapters}})()
        self.given = given
        self.asked: list[Any] = []

    def __del__(self) -> None:
        """Ray's stops an engine."""

    async def chat(self, request: Any, raw_request_info: Any = None) -> Any:
        self.asked.append(request)

        async def items() -> Any:
            for item in self.given:
                yield item

        return items()


BODY = b'{"model":"auto","messages":[{"role":"user","content":"Hi"}],"laar":{"task":"t"}}'


def event(response: Any) -> str:
    return f"data: {json.dumps(response.model_dump(mode='json'))}\n\n"


async def test_server_reads_batches_of_events() -> None:
    server = Server([event(delta(content="Par"))], [event(delta("stop", content="is")), "data: [DONE]\n\n"])
    packed = [chunk async for chunk in server.generate_stream("chat", BODY, {"thinking_token_budget": 5})]
    assert all(type(chunk) is tuple for chunk in packed)
    found = [unpacked(chunk) for chunk in packed]
    assert [(chunk.text, chunk.finish_reason, chunk.is_last) for chunk in found if isinstance(chunk, Chunk)] == [
        ("Par", None, False),
        ("is", "stop", False),
        ("", None, True),
    ]
    (asked,) = server.asked
    assert (asked.model, asked.stream, asked.thinking_token_budget) == ("m", True, 5)
    assert "laar" not in (asked.__pydantic_extra__ or {})


async def test_server_hands_on_what_stands_in_the_place_of_a_stream() -> None:
    error = ErrorResponse.model_validate({"error": {"message": "no", "type": "BadRequestError", "code": 400}})
    (found,) = [chunk async for chunk in Server(error).generate_stream("chat", BODY, {})]
    assert isinstance(found, Reply)
    assert found.status == 400


@pytest.mark.parametrize(
    ("more", "field"),
    [
        pytest.param(b'"temperature":"hot"', "temperature", id="scalar"),
        pytest.param(b'"stop":5', "stop", id="one of several types"),
        pytest.param(b'"messages":[{"role":"user","content":5}]', "messages.0", id="message"),
        pytest.param(b'"tool_choice":"find"', "tool_choice", id="choice"),
    ],
)
async def test_field_at_fault_is_named_without_the_names_of_pydantics_arms(more: bytes, field: str) -> None:
    body = b'{"model":"auto","messages":[{"role":"user","content":"Hi"}],' + more + b"}"
    found = await Server().generate("chat", body, {})
    assert (found.status, found.invalid_request) == (400, True)
    told = json.loads(found.body)["error"]["param"]
    assert told.startswith(field)
    assert not any(character in told for character in "[]ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_server_of_ray_keeps_its_config_where_the_model_server_looks() -> None:
    config = LLMConfig.model_validate(
        {"model_loading_config": {"model_id": "m"}, "accelerator_config": {"kind": "cpu"}}
    )
    server = Server.sync_init(config, engine_cls=object)
    assert server._llm_config.model_id == "m"


async def test_server_counts_tokens_where_its_engine_can(tmp_path: Path) -> None:
    words = Tokenizer(
        WordLevel({word: number for number, word in enumerate(["?", "<user>", "<bot>", "Who", "is"])}, "?")
    )
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?")
    tokenizer.save_pretrained(tmp_path / "bare")
    templates = {
        "chats": "<user> {{ messages[0].content }}{% if add_generation_prompt %} <bot>{% endif %}",
        "raises": "{{ raise_exception('no') }}",
        "of-parts": "<user> {% for part in messages[0].content %}{{ part.text }}{% endfor %}",
    }
    for name, template in templates.items():
        tokenizer.chat_template = template
        tokenizer.save_pretrained(tmp_path / name)

    async def counted(source: str, engine: Any) -> list[int] | None:
        server = Server()
        server._llm_config = LLMConfig.model_validate(
            {
                "model_loading_config": {"model_id": "m", "model_source": str(tmp_path / source)},
                "accelerator_config": {"kind": "cpu"},
            }
        )
        server.engine = engine
        return await server.count_tokens(["Who is it", "Who"])

    vllms = SimpleNamespace(tokenize=None)
    assert await counted("chats", vllms) == [5, 3]
    assert [await counted(name, vllms) for name in ("bare", "nowhere", "raises", "of-parts")] == [None] * 4
    assert await counted("chats", object()) is None


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        pytest.param("adapter", "adapter", id="adapter"),
        pytest.param("m", "m", id="base"),
        pytest.param("name of the routers", "m", id="other-name"),
    ],
)
async def test_engine_is_asked_for_itself_or_for_one_of_its_adapters(model: str, asked: str) -> None:
    server = Server(event(delta("stop")))
    await server.generate("chat", BODY, {"model": model})
    assert server.asked[0].model == asked


async def test_server_tells_what_it_has_under_way() -> None:
    server = Server(event(delta(content="Par")), event(delta("stop")), "data: [DONE]\n\n")
    stream = server.generate_stream("chat", BODY, {})
    await anext(stream)
    assert await server.in_flight() == 1
    # a stream beside it, and not itself any more
    assert (await server.generate("chat", b"{}", {})).in_flight == 1
    assert len([chunk async for chunk in stream]) > 0
    assert await server.in_flight() == 0


@pytest.mark.parametrize(
    ("source", "fetches"), [pytest.param(".", False, id="folder"), pytest.param("a/b", True, id="hub")]
)
async def test_model_in_a_folder_starts_without_a_process_that_fetches_it(source: str, fetches: bool) -> None:
    found = []

    class Engine:
        def __init__(self, config: LLMConfig) -> None:
            self.config = config

        async def start(self) -> None:
            found.append(self.config.get_or_create_callback().ctx.run_init_node)

    config = LLMConfig.model_validate(
        {
            "model_loading_config": {"model_id": "m", "model_source": source},
            "accelerator_config": {"kind": "cpu"},
            "placement_group_config": {"bundles": []},
        }
    )
    # what Ray makes of it where the engine starts, without the placement group
    config._callback_instance = config.callback_config.callback_class(config)
    server = Server.sync_init(config, engine_cls=Engine)
    await server.start()
    assert found == [fetches]
