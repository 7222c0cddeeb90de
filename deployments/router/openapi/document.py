"""The OpenAPI document of all routes that laar serves. What a request may hold comes from the types that read it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import msgspec
from pydantic import BaseModel

from deployments.router.dialects.dialects import DIALECTS
from deployments.router.http.request import RETRY_HEADER, Endpoint, Feedback, LaarOptions, body_schema
from deployments.router.openapi import answers
from deployments.router.page.views import AttemptsQuery, MapQuery
from deployments.router.tenants.tenant import Role

Schema = dict[str, Any]
REF = "#/components/schemas/{name}"
JSON, EVENTS = "application/json", "text/event-stream"
REASONS: Mapping[int, str] = {
    200: "OK",
    307: "It is at /laar/.",
    400: "A field is missing, unknown, of a wrong type or out of bounds; the prompt fits no context; no valid HTTP.",
    401: "No valid API key.",
    403: "The key has not the role that is needed.",
    404: "Unknown model, path or request.",
    408: "The headers or the body did not arrive in time.",
    413: "The body is too large.",
    415: "The body has a content-encoding.",
    422: "Nothing could be verified, or no model has anything new to say.",
    429: "laar is full, or a limit of the key is used up.",
    500: "A fault of laar.",
    502: "The router broke off; the request may be sent again.",
    503: "No model or no router can answer now, or the attempt log is full.",
    504: "The deadline passed without an answer.",
}
# from whatever stands between the client and the router, and from the router's own faults
_ALWAYS = (500, 502, 503, 504)
_BODY = (400, 408, 413, 415)
_KEY = (401, 403)
_HEADERS = {401: "www-authenticate", 429: "retry-after"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one route takes and answers. Without a `role` it needs no key; `kinds` are the media types of its answer.

    `statuses` are those of its own errors, besides those that every route may have.
    """

    does: str
    role: Role | None = None
    body: str | None = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    answer: str | None = None
    error: str = "Error"
    kinds: tuple[str, ...] = (JSON,)
    status: int = 200
    statuses: tuple[int, ...] = ()

    @property
    def all_statuses(self) -> tuple[int, ...]:
        own = (*self.statuses, *(_KEY if self.role is not None else ()), *(_BODY if self.body is not None else ()))
        return tuple(sorted({self.status, *own, *_ALWAYS}))


_CHAT = Operation(
    does="Answer a chat.",
    role=Role.ASK,
    body="Chat",
    headers=(RETRY_HEADER, "x-request-id"),
    answer="Answer",
    kinds=(JSON, EVENTS),
    statuses=(404, 422, 429),
)
_MODELS = Operation(does="The models that the key may use, and `auto`.", role=Role.ASK, answer="Models")
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("post", "/v1/chat/completions"): _CHAT,
    ("post", "/v1/completions"): replace(_CHAT, does="Complete a prompt.", body="Completion"),
    ("post", "/v1/responses"): replace(
        _CHAT, does="Answer a request of OpenAI's Responses API.", body="ResponsesRequest", answer="ResponsesAnswer"
    ),
    ("post", "/v1/messages"): replace(
        _CHAT,
        does="Answer a request of Anthropic's Messages API.",
        body="MessagesRequest",
        answer="MessagesAnswer",
        error="MessagesError",
    ),
    ("get", "/v1/models"): _MODELS,
    ("get", "/v1/models/"): _MODELS,
    ("get", "/v1/models/{model}"): Operation(does="One model.", role=Role.ASK, answer="Card", statuses=(404,)),
    ("post", "/v1/laar/explain"): Operation(
        does="Say which model a request would go to, and why; run nothing.",
        role=Role.ADMIN,
        body="Explain",
        headers=(RETRY_HEADER,),
        answer="Explanation",
        statuses=(404, 429),
    ),
    ("post", "/v1/laar/feedback"): Operation(
        does="Tell whether an answer was right.",
        role=Role.FEEDBACK,
        body="Feedback",
        answer="FeedbackTaken",
        statuses=(404, 429),
    ),
    ("get", "/v1/laar/status"): Operation(
        does="The models and the traffic of one router replica.", role=Role.ADMIN, answer="Status"
    ),
    ("get", "/v1/laar/capability"): Operation(
        does="The chances of every model by language and length.",
        role=Role.ADMIN,
        query=MapQuery,
        answer="Capability",
        statuses=(400,),
    ),
    ("get", "/v1/laar/attempts"): Operation(
        does="The latest attempts on the key's requests.",
        role=Role.ASK,
        query=AttemptsQuery,
        answer="Attempts",
        statuses=(400, 429),
    ),
    ("get", "/laar"): Operation(does="The page's old place.", kinds=(), status=307),
    ("get", "/laar/"): Operation(does="The page.", kinds=("text/html",)),
    ("get", "/laar/{name}"): Operation(
        does="A file of the page.",
        kinds=("text/html", "text/css", "text/javascript", "image/svg+xml"),
        statuses=(404,),
    ),
    ("get", "/openapi.json"): Operation(does="This document.", answer="Document"),
    ("get", "/metrics"): Operation(
        does="Laar's metrics of all nodes, as Prometheus reads them.",
        role=Role.ADMIN,
        kinds=("text/plain",),
        statuses=(400,),
    ),
    ("get", "/health"): Operation(does="Whether this router replica works.", answer="Health"),
    ("get", "/ready"): Operation(does="Whether a request could be answered now.", answer="Ready"),
}


@lru_cache(maxsize=8)
def openapi_json(root_path: str = "") -> bytes:
    """The document, for an application whose routes stand below `root_path`."""
    return msgspec.json.encode(document(root_path))


def document(root_path: str = "") -> Schema:
    paths: dict[str, Schema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method] = _operation(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "laar",
            "version": version("laar"),
            "description": "OpenAI's API, and the object `laar` in requests and answers. Where the operator has given "
            "out no keys, none is needed.",
        },
        "servers": [{"url": root_path or "/"}],
        "security": [{"key": []}, {"x_api_key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "x_api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "responses": {str(status): _plain_error(status, "Error") for status in REASONS if status >= 400},
            "schemas": _schemas(),
        },
    }


def _operation(method: str, path: str, operation: Operation) -> Schema:
    told: Schema = {
        "operationId": f"{method}{path}".translate(str.maketrans("/.{}", "____")),
        "summary": operation.does,
        "responses": {
            str(status): _answer(operation, status) if status < 400 else _error(status, operation.error)
            for status in operation.all_statuses
        },
    }
    if operation.role is None:
        told["security"] = []
    else:
        told["description"] = f"Needs a key of the role `{operation.role}`."
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(operation.body)}}}
    if parameters := _parameters(path, operation):
        told["parameters"] = parameters
    return told


def _parameters(path: str, operation: Operation) -> list[Schema]:
    text = {"type": "string", "minLength": 1}
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    query = {} if operation.query is None else operation.query.model_json_schema(ref_template="{model}")
    inner = query.get("$defs", {})
    return [
        *({"name": name, "in": "path", "required": True, "schema": text} for name in in_path),
        *({"name": name, "in": "header", "schema": {"type": "string"}} for name in operation.headers),
        *(
            {"name": name, "in": "query", "schema": _without_references(schema, inner)}
            for name, schema in query.get("properties", {}).items()
        ),
    ]


def _without_references(schema: Schema, named: Mapping[str, Schema]) -> Schema:
    """The schema of a parameter, which is left out where it is null."""
    kinds = [kind for kind in schema.get("anyOf", (schema,)) if kind.get("type") != "null"]
    found = named[kinds[0]["$ref"]] if "$ref" in kinds[0] else kinds[0]
    return {name: value for name, value in found.items() if name not in {"title", "description"}}


def _answer(operation: Operation, status: int) -> Schema:
    content = {kind: _content(kind, operation.answer) for kind in operation.kinds}
    return {"description": REASONS[status]} | ({"content": content} if content else {})


def _content(kind: str, answer: str | None) -> Schema:
    if kind == EVENTS:
        # this version of OpenAPI has no words for events
        return {}
    return {"schema": _ref(answer) if kind == JSON and answer is not None else {"type": "string"}}


def _error(status: int, shape: str) -> Schema:
    return {"$ref": f"#/components/responses/{status}"} if shape == "Error" else _plain_error(status, shape)


def _plain_error(status: int, shape: str) -> Schema:
    told: Schema = {"description": REASONS[status], "content": {JSON: {"schema": _ref(shape)}}}
    if (header := _HEADERS.get(status)) is not None:
        told["headers"] = {header: {"schema": {"type": "string"}}}
    return told


def _ref(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}


def _dialect(path: str, **required: Schema) -> Schema:
    needed = {"model": {"type": "string"}, **required}
    fields: Schema = {name: {} for name in DIALECTS[path].fields}
    return {
        "type": "object",
        "properties": fields | needed | {"laar": _ref(LaarOptions.__name__)},
        "required": list(needed),
        "additionalProperties": False,
    }


def _schemas() -> dict[str, Schema]:
    chat, of_chat = body_schema(Endpoint.CHAT, REF)
    completion, of_completion = body_schema(Endpoint.COMPLETIONS, REF)
    found: dict[str, Schema] = {
        "Error": answers.ERROR,
        "Chat": chat,
        "Completion": completion,
        "ResponsesRequest": _dialect("/v1/responses", input={"anyOf": [{"type": "string"}, {"type": "array"}]}),
        "ResponsesAnswer": answers.RESPONSE,
        "MessagesRequest": _dialect(
            "/v1/messages",
            messages={"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role", "content"]}},
            max_tokens={"type": "integer", "minimum": 1},
        ),
        "MessagesAnswer": answers.MESSAGE,
        "MessagesError": answers.MESSAGES_ERROR,
        "Explain": {"anyOf": [_ref("Chat"), _ref("Completion")]},
        "Answer": answers.ANSWER,
        "Models": answers.MODELS,
        "Card": answers.CARD,
        "Explanation": answers.EXPLANATION,
        "FeedbackTaken": answers.FEEDBACK,
        "Status": answers.STATUS,
        "Capability": answers.CAPABILITY,
        "Attempts": answers.ATTEMPTS,
        "Health": answers.HEALTH,
        "Ready": answers.READY,
        "Document": {"type": "object"},
        **of_chat,
        **of_completion,
    }
    for model in (LaarOptions, Feedback):
        schema = model.model_json_schema(ref_template=REF.replace("{name}", "{model}"))
        found |= schema.pop("$defs", {}) | {model.__name__: schema}
    # the types that read a body are private to their module
    shown = msgspec.json.encode({name.lstrip("_"): schema for name, schema in found.items()})
    public: dict[str, Schema] = msgspec.json.decode(shown.replace(b"/schemas/_", b"/schemas/"))
    return public
