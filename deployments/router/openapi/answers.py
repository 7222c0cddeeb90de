"""The JSON Schemas of what laar answers; a field may be added to an answer, so none is closed but the error."""

from collections.abc import Mapping
from typing import Any, get_args

from deployments.router.attempt.breaker import BreakerState
from deployments.router.attempt.tries import Status
from deployments.router.choice.policy import Exclusion, PolicyName

Schema = dict[str, Any]


def _field(kind: "str | Schema") -> Schema:
    """A JSON Schema type by its name; with a question mark it may be null."""
    if not isinstance(kind, str):
        return kind
    name = kind.removesuffix("?")
    return {"type": [name, "null"] if name != kind else name}


def _object(optional: Mapping[str, "str | Schema"] | None = None, /, **fields: "str | Schema") -> Schema:
    properties = {name: _field(kind) for name, kind in {**fields, **(optional or {})}.items()}
    return {"type": "object", "properties": properties, "required": list(fields)}


def _list(of: "str | Schema") -> Schema:
    return {"type": "array", "items": _field(of)}


def _one_of(*words: str | None) -> Schema:
    return {"enum": list(words)}


INTERVAL = {**_list("number"), "minItems": 2, "maxItems": 2}
STATUSES = _one_of(*(status.value for status in Status))

ERROR = {
    **_object(
        error={
            **_object(message="string", type="string", param="string?", code={"type": ["string", "integer", "null"]}),
            "additionalProperties": False,
        }
    ),
    "additionalProperties": False,
}
PROMISE = _object(order=_list("string"), probability="number", seconds="number", engine_s="number", spend="number")
LAAR = _object(
    {
        "ignored": _list("string"),
        "target": _object(probability="number", by_s="number", promised="number?", met="boolean?"),
    },
    request_id="string",
    verified="boolean?",
    language="string",
    bucket="string",
    task="string",
    ttca_s="number?",
    attempts=_list(
        _object(
            {"read": "string", "thinking_budget": "integer"},
            model="string",
            latency_s="number",
            verdict=STATUSES,
            reason="string",
        )
    ),
    tried=_list("string"),
)
ANSWER = {
    **_object(id="string", object="string", model="string", choices=_list("object"), laar=LAAR),
    "description": "OpenAI's answer, as the engine gave it, with what laar did.",
}
RESPONSE = {
    **_object(
        id="string", object=_one_of("response"), status="string", model="string", output=_list("object"), laar=LAAR
    ),
    "description": "The answer in the words of OpenAI's Responses API.",
}
MESSAGE = {
    **_object(id="string", type=_one_of("message"), role="string", model="string", content=_list("object"), laar=LAAR),
    "description": "The answer in the words of Anthropic's Messages API.",
}
# what stands before the router answers in OpenAI's shape
MESSAGES_ERROR = {
    "anyOf": [
        _object(
            type=_one_of("error"),
            error=_object({"param": "string?"}, type="string", message="string"),
            request_id="string",
        ),
        ERROR,
    ]
}
CARD = _object(
    {"root": "string"},
    id="string",
    object=_one_of("model"),
    created="integer",
    owned_by="string",
    max_model_len="integer",
)
MODELS = _object(object=_one_of("list"), data=_list(CARD))
VERSIONS = _object(version="string", profile="string", limits="string")
EXPLANATION = _object(
    versions=VERSIONS,
    chosen="string?",
    reason="string?",
    order=_list("string"),
    features=_object(
        language="string", language_confidence="number", num_chars="integer", symbol_share="number", task="string"
    ),
    candidates=_list(
        _object(
            model="string",
            probability="number",
            interval=INTERVAL,
            is_extrapolated="boolean",
            expected_latency_s="number",
            latency_ratio="number?",
            score_s="number",
            prompt_tokens="integer",
            bucket="string",
            in_flight="integer",
            exclusion=_one_of(*(exclusion.value for exclusion in Exclusion), None),
            breaker=_one_of(*(state.value for state in BreakerState)),
            thinking="object?",
        )
    ),
    target={
        **_object(
            probability="number",
            by_s="number",
            is_reached="boolean",
            chosen=PROMISE,
            cheapest=PROMISE,
            surest=PROMISE,
        ),
        "type": ["object", "null"],
    },
)
FEEDBACK = _object(object=_one_of("laar.feedback"), request_id="string", correct="boolean")
STATUS = _object(
    object=_one_of("laar.status"),
    replica="string",
    up_s="number",
    versions=VERSIONS,
    policy=_one_of(*get_args(PolicyName)),
    worth_s="number",
    learns="boolean",
    has_log="boolean",
    requests=_object(
        window="integer",
        ended="integer",
        failed="integer",
        with_check="integer",
        verified="integer",
        ttca_p50_s="number?",
        ttca_p95_s="number?",
    ),
    models=_list(
        _object(
            model="string",
            context_tokens="integer",
            replicas="integer",
            is_healthy="boolean",
            is_profiled="boolean",
            is_drifting="boolean",
            in_flight="integer",
            waiting_prompt_tokens="integer",
            window="integer",
            attempts="integer",
            correct="integer",
            wrong="integer",
            unknown="integer",
            failed="integer",
            mean_latency_s="number?",
        )
    ),
    alarms=_list(_object(model="string", task="string?", direction="string", cause="string")),
)
CAPABILITY = _object(
    task="string",
    tasks=_list("string"),
    languages=_list("string"),
    buckets=_list("string"),
    models=_list(
        _object(
            model="string",
            cells=_list(
                _object(
                    language="string",
                    bucket="integer",
                    probability="number",
                    interval=INTERVAL,
                    correct="integer",
                    tried="integer",
                )
            ),
        )
    ),
)
ATTEMPTS = _object(
    object=_one_of("list"),
    data=_list(
        _object(
            request_id="string",
            attempt_index="integer",
            arrived_at={"type": "string", "format": "date-time"},
            model="string",
            task="string",
            language="string",
            verdict=STATUSES,
            outcome="string",
            reason="string?",
        )
    ),
)
HEALTH = _object(status=_one_of("ok"))
READY = _object(status=_one_of("ready"), num_unavailable="integer")
