"""Every error that a client can meet: its status, its type and code in OpenAI's shape, and its headers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.contract import errors
from deployments.contract.errors import LaarError
from deployments.router.http.http_io import status_of
from deployments.router.http.ingress import Router

API = Path(__file__).parents[4] / "docs" / "api.md"
CODE = re.compile(r"`(\w+)`")
REQUEST, FINAL = "invalid_request_error", {"x-should-retry": "false"}
ERRORS: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "LaarError": (500, "server_error", "internal_error", {}),
    "ClientError": (400, REQUEST, "invalid_value", {}),
    "UnknownFieldError": (400, REQUEST, "unknown_field", {}),
    "UnknownModelError": (404, REQUEST, "model_not_found", {}),
    "UnknownRequestError": (404, REQUEST, "request_not_found", {}),
    "ForgedRetryError": (400, REQUEST, "invalid_retry", {}),
    "LogOffError": (400, REQUEST, "log_off", {}),
    "BodyTooLargeError": (413, REQUEST, "body_too_large", {}),
    "EncodedBodyError": (415, REQUEST, "unsupported_encoding", {}),
    "SlowBodyError": (408, REQUEST, "request_timeout", {}),
    "ContextLengthError": (400, REQUEST, "context_length_exceeded", {}),
    "AuthenticationError": (401, "authentication_error", "invalid_api_key", {"www-authenticate": "Bearer"}),
    "PermissionDeniedError": (403, "permission_error", "permission_denied", {}),
    "NotVerifiedError": (422, "unverified_answer", "unverified_answer", {}),
    "NothingNewError": (422, "unverified_answer", "nothing_new", FINAL),
    "ModelsUnavailableError": (503, "server_error", "models_unavailable", {}),
    "ModelsFailedError": (503, "server_error", "models_unavailable", FINAL),
    "LogUnavailableError": (503, "server_error", "log_unavailable", {}),
    "OverloadedError": (429, "rate_limit_error", "overloaded", {}),
    "QuotaError": (429, "rate_limit_error", "rate_limit_exceeded", {}),
    "DeadlineError": (504, "timeout", "deadline_exceeded", FINAL),
}
# what a model did, which no class knows beforehand
BY_WORD = {"BrokenStreamError": 503, "LateStreamError": 504}
PASSED_ON = {"EngineRefusalError"}


def classes(base: type[LaarError] = LaarError) -> Iterator[type[LaarError]]:
    yield base
    for one in base.__subclasses__():
        yield from classes(one)


def test_no_error_is_without_a_row() -> None:
    # all that a router loads is loaded
    assert Router.__name__ == "Router"
    assert {one.__name__ for one in classes()} == {*ERRORS, *BY_WORD, *PASSED_ON}


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in ERRORS])
def test_error_has_openais_shape(name: str) -> None:
    status, type_, code, headers = ERRORS[name]
    error = getattr(errors, name)("it is so", param="field")
    assert (status_of(error), error.headers) == (status, headers)
    assert json.loads(error.body()) == {"error": {"message": "it is so", "type": type_, "param": "field", "code": code}}


@pytest.mark.parametrize(("name", "status"), [pytest.param(name, status, id=name) for name, status in BY_WORD.items()])
def test_stream_that_broke_off_has_the_words_of_its_fault_as_code(name: str, status: int) -> None:
    error = getattr(errors, name)("engine_error")
    assert (status_of(error), error.headers) == (status, {})
    assert json.loads(error.body()) == {
        "error": {
            "message": "the stream broke off: engine_error",
            "type": "server_error",
            "param": None,
            "code": "engine_error",
        }
    }


def test_page_says_which_status_each_code_has() -> None:
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \| ([^|]*) \|", API.read_text(), re.MULTILINE)
    told = {(one, code) for statuses, codes in rows for one in statuses.split(", ") for code in CODE.findall(codes)}
    assert {(str(status), code) for status, _, code, _ in ERRORS.values()} - told == set()
