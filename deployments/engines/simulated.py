"""The simulated engine: an engine class for `LLMServer` that answers from a profile instead of a model.

For load, fault and scale tests only. Nothing it says is a claim about a real model: its model ids must
contain "simulated" and every answer starts with a mark that says so.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from pydantic import (
    BaseModel,
)
from ray.serve.llm.openai_api_models import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    CompletionRequest,
    CompletionResponse,
)

from deployments.engines.engine_configs import SimulatedSettings
from profiles.cell import Cell
from profiles.chances.capability import Capability
from profiles.profile import DEFAULT_TASK, Profile, load_profile

MARK = "[simulated]"
# a test prompt says what the right answer is, and the engine gives it or a wrong one: <sim answer="42">
_ANSWER = re.compile(r'<sim answer="([^"<>]{0,200})">')
# or which of the request's tools is to be called, and with what: <sim call="search" arguments='{"for": "rain"}'>
_CALL = re.compile(r"""<sim call="([^"<>]{1,64})"(?: arguments='([^'<>]{1,200})')?>""")
_CHARS_PER_TOKEN = 4.0


class _ErrorInfo(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: int


class ErrorResponse(BaseModel):
    """Has the shape of the engine's own error response, which has no public name."""

    error: _ErrorInfo


# The language of a text, as an ISO 639 code.
LanguageOf = Callable[[str], str]


def simulated_engine(settings: SimulatedSettings, *, language_of: LanguageOf) -> Any:
    """What to pass to `LLMServer` as `engine_cls`."""
    return partial(SimulatedEngine, settings=settings, language_of=language_of)


class SimulatedEngine:
    """Meets Ray Serve LLM's engine protocol for chat and completions; counts what it was asked."""

    def __init__(self, llm_config: Any, *, settings: SimulatedSettings, language_of: LanguageOf) -> None:
        self._model = llm_config.model_id
        self._settings = settings
        self._latency = settings.latency
        self._accuracy: Callable[[str, int], float] = lambda _prompt, _tokens: settings.accuracy
        if settings.profile is not None:
            profile = load_profile(settings.profile)
            self._latency = profile.models[self._model].latency
            self._accuracy = _profiled_accuracy(profile, self._model, language_of)
        engine = llm_config.engine_kwargs
        self._can_think = bool(engine.get("reasoning_config") or engine.get("reasoning_parser"))
        self._slots = asyncio.Semaphore(settings.max_running)
        self._running = 0
        self.counters = {"started": 0, "finished": 0, "cancelled": 0, "words": 0}

    async def start(self) -> None:
        await asyncio.sleep(self._settings.startup_s)

    async def check_health(self) -> None:
        if self._running < 0:
            raise RuntimeError(f"running requests ({self._running}) must not be negative")

    def routing_stats(self) -> dict[str, Any]:
        return dict(self.counters)

    async def chat(
        self, request: ChatCompletionRequest, _raw: Any = None
    ) -> AsyncGenerator[str | ChatCompletionResponse | ErrorResponse, None]:
        prompt = "\n".join(_content(message) for message in request.messages)
        async with aclosing(self._answer(prompt, request, _CHAT)) as items:
            async for item in items:
                yield item

    async def completions(
        self, request: CompletionRequest, _raw: Any = None
    ) -> AsyncGenerator[str | CompletionResponse | ErrorResponse, None]:
        async with aclosing(self._answer(str(request.prompt), request, _COMPLETION)) as items:
            async for item in items:
                yield item

    async def _answer(self, prompt: str, request: Any, shape: "_Shape") -> AsyncGenerator[Any, None]:
        settings = self._settings
        prompt_tokens = max(1, round(len(prompt) / _CHARS_PER_TOKEN))
        if prompt_tokens > settings.context_tokens:
            yield _error(f"prompt has {prompt_tokens} tokens; the context has {settings.context_tokens}", 400)
            return
        if request.thinking_token_budget is not None and not self._can_think:
            yield _error("thinking_token_budget is set but reasoning_config is not configured", 400)
            return
        fault = self._draw("fault", prompt)
        if fault < settings.error_rate:
            yield _error("simulated engine error", 500)
            return
        self.counters["started"] += 1
        try:
            async with self._slots:
                self._running += 1
                try:
                    if fault < settings.error_rate + settings.hang_rate:
                        await asyncio.Event().wait()
                    async for item in self._generate(prompt, prompt_tokens, request, shape):
                        yield item
                finally:
                    self._running -= 1
            self.counters["finished"] += 1
        except (asyncio.CancelledError, GeneratorExit):
            self.counters["cancelled"] += 1
            raise

    async def _generate(
        self, prompt: str, prompt_tokens: int, request: Any, shape: "_Shape"
    ) -> AsyncGenerator[Any, None]:
        latency = self._latency
        await _sleep(latency.overhead_s + latency.prefill_s_per_token * prompt_tokens)
        accuracy = self._settings.repair_accuracy if _has_answer(request) else None
        accuracy = self._accuracy(prompt, prompt_tokens) if accuracy is None else accuracy
        is_right = self._draw("answer", prompt) < accuracy
        if _wants_call(request) and (called := _CALL.search(prompt)):
            words, call = self._arguments(called[2]), called[1] if is_right else "wrong_tool"
        else:
            words, call = self._thoughts(request.thinking_token_budget) + self._words(prompt, request, is_right), None
        if request.stream:
            spaced = self._settings.spaced_json
            for index, word in enumerate(words):
                await _sleep(self._decode_s())
                self.counters["words"] += 1
                said = word if index == 0 else " " + word
                yield shape.chunk(self._model, said, call=call, is_first=index == 0, spaced=spaced)
            yield shape.chunk(self._model, "", finish=_finish(call), spaced=spaced)
            if request.stream_options is not None and request.stream_options.include_usage:
                yield shape.usage_chunk(self._model, prompt_tokens, len(words), spaced=spaced)
            yield "data: [DONE]\n\n"
            return
        await _sleep(self._decode_s() * len(words))
        self.counters["words"] += len(words)
        yield shape.response(self._model, " ".join(words), prompt_tokens, len(words), call=call)

    def _decode_s(self) -> float:
        latency = self._latency
        return latency.decode_s_per_token * (1 + latency.decode_growth * (self._running - 1))

    def _thoughts(self, budget: int | None) -> list[str]:
        count = self._settings.thinking_words if budget is None else min(self._settings.thinking_words, budget)
        return ["<think>", *["hm"] * count, "</think>"] if self._can_think else []

    def _words(self, prompt: str, request: Any, is_right: bool) -> list[str]:
        """The answer, as JSON where the request wants JSON."""
        found = _ANSWER.search(prompt)
        answer = (found.group(1) if found else "answer") if is_right else "a wrong answer"
        if request.response_format is None or request.response_format.type == "text":
            return [MARK, *answer.split(), *self._filler()]
        filler = {"filler": self._filler()} if self._settings.padding_words else {}
        return json.dumps({MARK: answer} | filler).split()

    def _arguments(self, given: str | None) -> list[str]:
        """Those that a tool is called with: the given ones, else some that say what calls it."""
        return (given or json.dumps({MARK: self._filler()})).split()

    def _filler(self) -> list[str]:
        return ["word"] * self._settings.padding_words

    def _draw(self, what: str, prompt: str) -> float:
        """A number in [0, 1) that is the same whenever the same prompt is drawn for the same thing."""
        key = f"{self._settings.seed}|{self._model}|{what}|{prompt}".encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) / 2**64


def _profiled_accuracy(profile: Profile, model: str, language_of: LanguageOf) -> Callable[[str, int], float]:
    """The chance of a correct answer to a prompt of this many tokens, as the router would look it up."""
    capability = Capability(profile)

    def accuracy(prompt: str, tokens: int) -> float:
        return capability.probability(model, Cell(DEFAULT_TASK, language_of(prompt), profile.buckets.of(tokens)))

    return accuracy


class _Shape:
    """Builds the OpenAI objects of one endpoint."""

    def __init__(self, response_type: Any, object_name: str, field: str) -> None:
        self._type, self._object, self._field = response_type, object_name, field

    def response(
        self, model: str, text: str, prompt_tokens: int, completion_tokens: int, *, call: str | None = None
    ) -> Any:
        choice: dict[str, Any] = {"index": 0, "finish_reason": _finish(call)} | self._carry(text)
        if call is not None:
            choice["message"] |= {"content": None, "tool_calls": [_called(call, text)]}
        usage = _usage(prompt_tokens, completion_tokens)
        return self._type(id="simulated", created=0, model=model, choices=[choice], usage=usage)

    def chunk(
        self,
        model: str,
        text: str,
        finish: str | None = None,
        *,
        call: str | None = None,
        is_first: bool = False,
        spaced: bool = False,
    ) -> str:
        """A piece of a text, or of the arguments with which a tool is called."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if call is not None:
            part = _called(call, text) if is_first else {"function": {"arguments": text}}
            choice["delta"] = {"tool_calls": [{"index": 0} | part]}
        else:
            choice |= {"delta": {"role": "assistant", "content": text}} if self._field == "message" else {"text": text}
        return self._event(model, spaced, choices=[choice])

    def usage_chunk(self, model: str, prompt_tokens: int, completion_tokens: int, *, spaced: bool = False) -> str:
        return self._event(model, spaced, choices=[], usage=_usage(prompt_tokens, completion_tokens))

    def _event(self, model: str, spaced: bool, **fields: Any) -> str:
        name = self._object + (".chunk" if self._field == "message" else "")
        data = {"id": "simulated", "object": name, "created": 0, "model": model} | fields
        return f"data: {json.dumps(data, separators=None if spaced else (',', ':'))}\n\n"

    def _carry(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}} if self._field == "message" else {"text": text}


_CHAT = _Shape(ChatCompletionResponse, "chat.completion", "message")
_COMPLETION = _Shape(CompletionResponse, "text_completion", "text")


def _called(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "simulated", "type": "function", "function": {"name": name, "arguments": arguments}}


def _wants_call(request: Any) -> bool:
    """Whether there are tools, and none has answered yet."""
    roles = [m.get("role") if isinstance(m, dict) else m.role for m in getattr(request, "messages", ())]
    return bool(getattr(request, "tools", None)) and "tool" not in roles


def _finish(call: str | None) -> str:
    return "stop" if call is None else "tool_calls"


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    total = prompt_tokens + completion_tokens
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total}


def _has_answer(request: Any) -> bool:
    """Whether one of the messages is a model's."""
    return any(_field_of(message, "role") == "assistant" for message in getattr(request, "messages", ()))


def _field_of(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, dict) else getattr(message, name)


def _content(message: Any) -> str:
    content = _field_of(message, "content")
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def _error(message: str, code: int) -> ErrorResponse:
    kind = "invalid_request_error" if code < 500 else "server_error"
    return ErrorResponse(error=_ErrorInfo(message=message, type=kind, code=code))


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
