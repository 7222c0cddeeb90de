"""Contract with the installed Ray Serve LLM and vLLM: what laar relies on, held against their own classes."""

import pytest
from ray.serve.llm.openai_api_models import ChatCompletionRequest, CompletionRequest

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
