import hashlib

import pytest

from deployments.contract.errors import AuthenticationError
from deployments.router.tenants.keys import ApiKeys

HASH = hashlib.sha256(b"secret").hexdigest()
KEYS = ApiKeys(frozenset({HASH}))


def test_without_keys_everybody_may_ask() -> None:
    assert ApiKeys(frozenset()).hash_in({}) == ""


@pytest.mark.parametrize(
    "value", [pytest.param("Bearer secret", id="as OpenAI sends it"), pytest.param("bearer  secret ", id="loosely")]
)
def test_accepted_key_is_known_by_its_hash(value: str) -> None:
    assert KEYS.hash_in({"authorization": value}) == HASH


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"authorization": "Bearer other"}, id="another"),
        pytest.param({"authorization": "Basic secret"}, id="another scheme"),
        pytest.param({"authorization": HASH}, id="the hash"),
    ],
)
def test_any_other_key_is_refused_and_not_repeated(headers: dict[str, str]) -> None:
    with pytest.raises(AuthenticationError, match=r"a valid API key is needed, as 'Bearer <key>'$"):
        KEYS.hash_in(headers)


def test_refusal_says_how_to_show_a_key() -> None:
    assert AuthenticationError("no").headers == {"www-authenticate": "Bearer"}
