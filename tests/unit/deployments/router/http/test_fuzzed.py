"""Whatever stands in a body: it is taken, or a client error in OpenAI's shape says what is wrong, and soon."""

import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.contract.errors import ClientError
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
NAMES = sorted(
    OPEN_FIELDS["chat"] | OPEN_FIELDS["completions"] | IGNORED_FIELDS | REFUSED_FIELDS.keys() | CLOSED_FIELDS
)
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


def judged(body: dict[str, Any], endpoint: Endpoint) -> None:
    """Taken, or refused in OpenAI's shape."""
    refusal = refusal_of(lambda: admit(json.dumps(body).encode("utf-8", "surrogatepass"), endpoint, OFFER))
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
