"""The model deployment: Ray Serve LLM's server with an entrance for unparsed bodies.

The ingress hands on the client's bytes as they came; they are validated once, here, beside the engine, and
the answer goes back as bytes. That spares every request a second validation and two copies of its objects.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import TemplateError
from msgspec.structs import replace
from pydantic import ValidationError
from ray.serve import Application
from ray.serve.llm import LLMConfig, build_llm_deployment
from ray.serve.llm.deployment import LLMServer
from ray.serve.llm.openai_api_models import ChatCompletionRequest, CompletionRequest

from deployments.contract.errors import error_body
from deployments.contract.reply import PackedChunk, Reply, packed
from deployments.engines.openai_answers import StreamReader, failure, read, reply, unchanged

logger = logging.getLogger("ray.serve")

_ARM = re.compile(r"[A-Z]|.*\[|(str|int|float|bool|dict|list|none)$")
_NOT_OF_TYPE = frozenset(f"{name}_type" for name in ("string", "list", "int", "float", "bool", "dict", "model"))
# what vLLM's templates and validators raise of a request that they cannot read, beside its own error answers
_OF_REQUEST = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, TemplateError)
REQUEST_TYPES = {"chat": ChatCompletionRequest, "completions": CompletionRequest}


class ModelServer(LLMServer):  # type: ignore[misc]
    """`LLMServer` plus `generate` and `generate_stream`, which take the bytes of an OpenAI request."""

    _in_flight = 0

    async def start(self) -> None:
        """Start the engine. What lies in a folder need not be fetched, which would take a process that imports vLLM."""
        if _is_folder(self._llm_config.model_loading_config.model_source):
            self._llm_config.get_or_create_callback().ctx.run_init_node = False
        await super().start()

    async def generate(self, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        """Answer without streaming; `overrides` replace fields of the request (`stream` is always off)."""
        with self._counted():
            found = await self._generate(endpoint, body, overrides)
        return replace(found, in_flight=self._in_flight)

    async def in_flight(self) -> int:
        """How many requests this replica has under way, whoever sent them."""
        return self._in_flight

    async def count_tokens(self, texts: Sequence[str]) -> list[int] | None:
        """The prompt tokens of each text as a user's only message; None where the model has no tokenizer for chats.

        Ray asks vLLM for its tokenizer by a name that vLLM no longer has, so it is loaded here.
        """
        if not hasattr(self.engine, "tokenize"):
            return None
        try:
            return await asyncio.to_thread(_tokens_of, self._llm_config, texts)
        except Exception:  # templates and tokenizers are code of the model's
            logger.warning("the tokenizer of model '%s' cannot be used", self._llm_config.model_id, exc_info=True)
            return None

    async def _generate(self, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Reply:
        request = self._parse(endpoint, body, {**overrides, "stream": False, "stream_options": None})
        if isinstance(request, Reply):
            return request
        found = _failure(502, "the engine ended without an answer", "engine_error")
        try:
            async for response in await self._call(endpoint, request):
                found = to_reply(response)
        except _OF_REQUEST as error:
            return _unreadable(error)
        return found

    async def generate_stream(
        self, endpoint: str, body: bytes, overrides: Mapping[str, Any]
    ) -> AsyncGenerator[PackedChunk | Reply, None]:
        """Yield the chunks, packed, and an error `Reply` where the engine refuses the request or fails midway."""
        request = self._parse(endpoint, body, {**overrides, "stream": True})
        if isinstance(request, Reply):
            yield request
            return
        reader = StreamReader(unchanged, failure)
        has_begun = False
        with self._counted():
            try:
                async for batch in await self._call(endpoint, request):
                    first = batch[0] if isinstance(batch, list) else batch
                    if not isinstance(first, str):
                        yield to_reply(first)
                        return
                    has_begun = True
                    for chunk in reader.feed(("".join(batch) if isinstance(batch, list) else batch).encode()):
                        yield packed(chunk)
            except _OF_REQUEST as error:
                if has_begun:
                    raise
                yield _unreadable(error)
                return
        for chunk in reader.end():
            yield packed(chunk)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    def _parse(self, endpoint: str, body: bytes, overrides: Mapping[str, Any]) -> Any:
        try:
            request = REQUEST_TYPES[endpoint].model_validate_json(body)
        except ValidationError as error:
            return _invalid(error)
        except Exception as error:  # vLLM's validators raise a dozen types on bad input
            return _refused(error)
        if request.__pydantic_extra__:
            request.__pydantic_extra__.pop("laar", None)
        for name, value in overrides.items():
            setattr(request, name, value)
        if request.model not in self._adapters:
            request.model = self._llm_config.model_id
        return request

    @property
    def _adapters(self) -> Sequence[str]:
        return [adapter.name for adapter in self._llm_config.engine_kwargs.get("lora_modules", ())]

    async def _call(self, endpoint: str, request: Any) -> AsyncGenerator[Any, None]:
        method = self.chat if endpoint == "chat" else self.completions
        responses: AsyncGenerator[Any, None] = await method(request)
        return responses


def model_deployment(
    llm_config: Mapping[str, Any], engine_cls: Any = None, *, adapters: Mapping[str, str] = MappingProxyType({})
) -> Application:
    """A deployment of one model; `engine_cls` takes the place of vLLM, which loads `adapters`: folders by name."""
    bind_kwargs = {"engine_cls": engine_cls} if engine_cls is not None else {}
    if adapters:
        engine_kwargs = _with_adapters(llm_config.get("engine_kwargs") or {}, adapters)
        llm_config = {**llm_config, "engine_kwargs": engine_kwargs}
    return build_llm_deployment(
        LLMConfig.model_validate(llm_config), bind_kwargs=bind_kwargs, deployment_cls=ModelServer
    )


def _with_adapters(engine_kwargs: Mapping[str, Any], adapters: Mapping[str, str]) -> dict[str, Any]:
    """All of them may work in the same step, unless the operator says otherwise."""
    # of vLLM itself, which simulated engines do without
    from vllm.entrypoints.openai.models.protocol import LoRAModulePath

    modules = [LoRAModulePath(name=name, path=path) for name, path in adapters.items()]
    return {"max_loras": len(adapters), **engine_kwargs, "enable_lora": True, "lora_modules": modules}


def _tokens_of(config: LLMConfig, texts: Sequence[str]) -> list[int]:
    """As vLLM counts a chat: the template's text, to which the tokenizer adds nothing."""
    # here, since only vLLM's engine brings it along
    from transformers import AutoTokenizer

    options, source = config.engine_kwargs, config.model_loading_config.model_source
    if "chat_template" in options or not isinstance(source, str | None):
        raise ValueError("its template or its files are not where those of a model are")
    tokenizer = AutoTokenizer.from_pretrained(
        options.get("tokenizer") or source or config.model_id,
        revision=options.get("tokenizer_revision") or options.get("revision") or "main",
        trust_remote_code=options.get("trust_remote_code", False),
    )
    chats = [[{"role": "user", "content": text}] for text in texts]
    written = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    if any(text not in chat for text, chat in zip(texts, written, strict=True)):
        raise ValueError("its template does not take a message as one text")
    return [len(tokens) for tokens in tokenizer(written, add_special_tokens=False)["input_ids"]]


def _is_folder(source: Any) -> bool:
    return isinstance(source, str) and Path(source).is_dir()


def to_reply(response: Any) -> Reply:
    """What Ray Serve LLM gives in one piece: an answer, or what stands in the place of one or of a stream."""
    # told apart by what they carry: what Ray exports as an ErrorResponse is a subclass of what its engine yields
    if hasattr(response, "error"):
        return failure(response.error.model_dump())
    body = response.model_dump_json().encode()
    return reply(body, read(body))


def _invalid(error: ValidationError) -> Reply:
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    # where several types may be, what is wrong with the one that was given, not that it is none of the others
    first = next(
        (e for e in errors if e["loc"][:1] == errors[0]["loc"][:1] and e["type"] not in _NOT_OF_TYPE), errors[0]
    )
    # a union reports the names of its arms too; they are no part of the field's path
    path = [str(part) for part in first["loc"] if not _ARM.match(str(part))]
    field = ".".join(path) or "body"
    body = error_body(f"{field}: {first['msg']}", param=field, code="invalid_value")
    return Reply(400, body, invalid_request=True)


def _refused(error: Exception) -> Reply:
    """For what a validator of vLLM's raised past pydantic; its own error type names the field."""
    field = str(getattr(error, "parameter", None) or "body")
    told = str(error) if hasattr(error, "parameter") else "a field has a type that the engine cannot read"
    return Reply(400, error_body(f"{field}: {told}", param=field, code="invalid_value"), invalid_request=True)


def _unreadable(error: Exception) -> Reply:
    """For a request that the engine could not even begin with: not the engine's failure, though others may read it."""
    logger.warning("a request could not be read: %s", type(error).__name__)
    message = f"body: the engine cannot read this request ({type(error).__name__})"
    return Reply(400, error_body(message, param="body", code="invalid_value"))


def _failure(status: int, message: str, code: str) -> Reply:
    return Reply(status, error_body(message, type_="server_error", code=code))
