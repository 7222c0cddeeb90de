"""Requests as nobody should make them, to the running application; each answer is one that is documented."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deployments.router.openapi.document import OPERATIONS
from tests.documented import fault_of
from tests.serve.conftest import HEADERS
from tests.unit.deployments.router.http.test_fuzzed import MESSAGES, OPTIONS, VALUES

pytestmark = pytest.mark.serve
# LAAR_FUZZ=5000 is what releases are held to: so many requests of each kind
NUM_CASES = int(os.environ.get("LAAR_FUZZ", "200"))
MOST_S = 20.0
CHAT = "/v1/chat/completions"
MODELS = st.sampled_from(["simulated-right", "auto"])
DRAWN = settings(
    max_examples=NUM_CASES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20)
QUERIES = st.dictionaries(st.sampled_from(["limit", "model", "task", "verdict", "x"]), SCALARS, max_size=3)
NAMES = st.text(min_size=1, max_size=20) | st.sampled_from(["auto", "index.html", "../x", "simulated-right", "%00"])
BODIES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"model": MODELS, "messages": MESSAGES | VALUES}, optional={"laar": OPTIONS | VALUES}),
    st.fixed_dictionaries({"model": MODELS, "prompt": VALUES | st.text(max_size=20)}, optional={"n": VALUES}),
    st.fixed_dictionaries({"request_id": VALUES | st.uuids().map(str), "correct": VALUES | st.booleans()}),
)
Ask = Callable[..., None]


@pytest.fixture
def ask(app_url: str) -> Iterator[Ask]:
    """Sends a request; its answer is one that is documented, no fault of laar, and soon here."""
    told: Counter[int] = Counter()
    longest_s = 0.0
    with httpx.Client(base_url=app_url, timeout=60) as client:

        def send(
            method: str, path: str, body: Any = None, *, name: str = "", query: Any = None, key: bool = True
        ) -> None:
            nonlocal longest_s
            content = None if method == "get" else json.dumps(body).encode("utf-8", "surrogatepass")
            place = path.replace("{model}", quote(name, safe="")).replace("{name}", quote(name, safe=""))
            began_s = time.monotonic()
            response = client.request(method, place, content=content, params=query, headers=HEADERS if key else {})
            longest_s = max(longest_s, time.monotonic() - began_s)
            told[response.status_code] += 1
            what = (method, place, query, content)
            assert longest_s < MOST_S, what
            assert response.status_code not in (500, 502, 503), what
            assert response.status_code == 307 or fault_of(method, path, response) is None, what

        yield send
    print(f"{told.total()} requests: {dict(told)}; longest {longest_s:.2f} s")


def quick(body: Any) -> Any:
    """The body with a deadline, where its `laar` object is one that could be taken."""
    if isinstance(body, dict) and isinstance(laar := body.get("laar"), dict):
        return {**body, "laar": {"deadline_s": 5, **laar}}
    return body


def test_every_route_answers_as_it_is_documented(ask: Ask) -> None:
    @DRAWN
    @given(st.sampled_from(list(OPERATIONS)), BODIES, NAMES, QUERIES, st.sampled_from([True, True, True, False]))
    def send(operation: tuple[str, str], body: Any, name: str, query: Any, key: bool) -> None:
        method, path = operation
        # these would name another route
        if name not in (".", ".."):
            ask(method, path, quick(body), name=name, query=query if method == "get" else None, key=key)

    send()


def test_content_parts_are_taken_or_refused(ask: Ask) -> None:
    @DRAWN
    @given(MESSAGES | VALUES, MODELS)
    def send(messages: Any, model: str) -> None:
        ask("post", CHAT, {"model": model, "messages": messages})

    send()


def test_the_laar_object_is_taken_or_refused(ask: Ask) -> None:
    messages = [{"role": "user", "content": 'Where? <sim answer="at home">'}]

    @DRAWN
    @given(OPTIONS | VALUES, MODELS)
    def send(laar: Any, model: str) -> None:
        ask("post", CHAT, quick({"model": model, "messages": messages, "laar": laar}))

    send()
