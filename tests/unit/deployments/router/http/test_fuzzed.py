"""Whatever stands in a body: it is taken, or a client error in OpenAI's shape says what is wrong, and soon."""

import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.contract.errors import ClientError
from deployments.router.dialects.dialects import DIALECTS
from deployments.router.http.admission import Offer, admit
from deployments.router.http.fields import CLOSED_FIELDS, IGNORED_FIELDS, OPEN_FIELDS, REFUSED_FIELDS
from deployments.router.http.request import Endpoint, LaarOptions, parse_feedback
from deployments.router.settings import Limits
from tests.serve.verifications import random_ones

OFFER = Offer(
    models=("m", "n"), thinkers=frozenset({"m"}), custom_checks=frozenset(), limits=Limits(max_body_bytes=100_000)
)
# LAAR_FUZZ=5000 is what releases are held to
FUZZ = settings(
    max_examples=int(os.environ.get("LAAR_FUZZ", "60")), deadline=2000, suppress_health_check=list(HealthCheck)
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["auto", "m", "user", "text", "\x00", "ﷺ" * 9, "a" * 70_000, "", "-1", "1e999"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "text", "role", "content", "value", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES: list[str] = sorted(frozenset().union(*OPEN_FIELDS.values(), IGNORED_FIELDS, REFUSED_FIELDS, CLOSED_FIELDS))
# of the other dialects
OWN_NAMES = {
    "/v1/responses": ["instructions", "max_output_tokens", "reasoning", "text", "tools", "tool_choice", "include"],
    "/v1/messages": ["system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences", "metadata"],
}
PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": SCALARS}),
        st.dictionaries(st.sampled_from(["type", "text", "image_url", "input_audio"]), VALUES, max_size=3),
        VALUES,
    ),
    max_size=5,
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool", "x"]), "content": PARTS | VALUES}),
    max_size=3,
)
OPTIONS = st.dictionaries(st.sampled_from([*LaarOptions.model_fields, "x"]), VALUES, max_size=4)


def refusal_of(read: Callable[[], object]) -> ClientError | None:
    """Whatever else is raised fails the test."""
    try:
        read()
    except ClientError as error:
        return error
    return None


def judged(body: dict[str, Any], endpoint: str) -> None:
    """Taken, or refused in OpenAI's shape. An endpoint with a path is one of the other dialects."""
    data = json.dumps(body).encode("utf-8", "surrogatepass")
    if endpoint in DIALECTS:
        refusal = refusal_of(lambda: admit(DIALECTS[endpoint].open(data).body, Endpoint.CHAT, OFFER))
    else:
        refusal = refusal_of(lambda: admit(data, Endpoint(endpoint), OFFER))
    if refusal is not None:
        assert 400 <= refusal.http_status < 500
        assert set(json.loads(refusal.body())["error"]) == {"message", "type", "param", "code"}
        assert len(str(refusal)) < 2000


@FUZZ
@given(
    st.fixed_dictionaries({"model": st.sampled_from(["auto", "m", "x"])}),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5),
    MESSAGES | VALUES,
    OPTIONS | VALUES,
    st.sampled_from(list(Endpoint)),
)
def test_fields_are_taken_or_refused(
    model: dict[str, Any], fields: dict[str, Any], messages: Any, laar: Any, endpoint: Endpoint
) -> None:
    prompt = "messages" if endpoint is Endpoint.CHAT else "prompt"
    judged(fields | model | {prompt: messages, "laar": laar}, endpoint)


@FUZZ
@given(st.data(), st.sampled_from(list(DIALECTS)), MESSAGES | VALUES)
def test_other_dialects_are_taken_or_refused(data: st.DataObject, path: str, messages: Any) -> None:
    fields = data.draw(st.dictionaries(st.sampled_from(OWN_NAMES[path]), VALUES, max_size=3))
    needed = {"input": messages} if path == "/v1/responses" else {"messages": messages, "max_tokens": 9}
    judged({"model": "auto", **needed, **fields}, path)


@FUZZ
@given(MESSAGES)
def test_content_parts_are_taken_or_refused(messages: Any) -> None:
    judged({"model": "auto", "messages": messages}, Endpoint.CHAT)


@FUZZ
@given(st.binary(max_size=50) | VALUES.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_bytes_and_feedback_are_taken_or_refused(body: bytes) -> None:
    refusals = [refusal_of(lambda: admit(body, Endpoint.CHAT, OFFER)), refusal_of(lambda: parse_feedback(body))]
    assert all(refusal is None or refusal.http_status < 500 for refusal in refusals)


def test_verifications_are_taken_or_refused() -> None:
    for body in random_ones(FUZZ.max_examples, seed=19):
        judged(json.loads(body), Endpoint.CHAT)
