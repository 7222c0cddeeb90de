import json
from collections.abc import Mapping
from typing import Any

import pytest

from deployments.contract.errors import AuthenticationError, PermissionDeniedError
from deployments.contract.secret import Secrets
from deployments.router.tenants.keys import ApiKeys, key_digest, read_key_file
from deployments.router.tenants.tenant import ANYBODY, Role
from deployments.router.upkeep.watched_file import MAX_YAML_BYTES
from profiles.yaml_text import MAX_YAML_DEPTH

SECRET = Secrets(b"of the operator")
NOON_S = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def digest(key: str, secret: Secrets = SECRET) -> str:
    return key_digest(secret, key)


def entry(name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "hash": digest(key), **more}


FILE = [
    entry("a", "key-a"),
    entry("b", "key-b", models=["small"]),
    entry("asks", "only-asks", roles=["ask"]),
    entry("tells", "only-tells", roles=["feedback"]),
    entry("sees", "only-sees", roles=["admin"]),
    entry("all", "does-all", roles=["ask", "feedback", "admin"]),
    entry("none", "does-nothing", roles=[]),
    entry("old", "expired", expires="2027-01-15T07:59:59Z"),
    entry("old", "last-second", expires="2027-01-15T08:00:00Z"),
    entry("old", "still-good", expires="2027-01-15T08:00:01Z"),
    entry("far", "elsewhere", expires="2027-01-15T10:00:00+03:00"),
    entry("gone", "revoked", revoked=True),
    entry("gone", "not-revoked"),
]


def keys(entries: list[dict[str, Any]] | None = None, secret: Secrets = SECRET) -> ApiKeys:
    text = json.dumps({"keys": FILE if entries is None else entries})
    plain = Secrets(b"of this build")
    return ApiKeys(secret, read_key_file(text.encode()), plain=[digest("from-environment", plain)], plain_secret=plain)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


NO_KEY, EXPIRED, NO_ROLE = "a valid API key is needed, as 'Bearer <key>'$", "has expired$", "has not the role"


@pytest.mark.parametrize(
    ("headers", "role", "outcome"),
    [
        pytest.param(bearer("key-a"), Role.ASK, "a", id="ask"),
        pytest.param(bearer("key-a"), Role.FEEDBACK, "a", id="feedback"),
        pytest.param(bearer("key-a"), Role.ADMIN, NO_ROLE, id="admin-is-no-default"),
        pytest.param({"authorization": "bearer  key-a "}, Role.ASK, "a", id="loosely-written"),
        pytest.param(bearer("key-b"), Role.ASK, "b", id="another-tenant"),
        pytest.param(bearer("only-asks"), Role.ASK, "asks", id="asks"),
        pytest.param(bearer("only-asks"), Role.FEEDBACK, NO_ROLE, id="asks-not-feedback"),
        pytest.param(bearer("only-asks"), Role.ADMIN, NO_ROLE, id="asks-not-admin"),
        pytest.param(bearer("only-tells"), Role.ASK, NO_ROLE, id="feedback-not-ask"),
        pytest.param(bearer("only-tells"), Role.FEEDBACK, "tells", id="tells"),
        pytest.param(bearer("only-tells"), Role.ADMIN, NO_ROLE, id="feedback-not-admin"),
        pytest.param(bearer("only-sees"), Role.ASK, NO_ROLE, id="admin-not-ask"),
        pytest.param(bearer("only-sees"), Role.FEEDBACK, NO_ROLE, id="admin-not-feedback"),
        pytest.param(bearer("only-sees"), Role.ADMIN, "sees", id="sees"),
        pytest.param(bearer("does-all"), Role.ADMIN, "all", id="all"),
        pytest.param(bearer("does-nothing"), Role.ASK, NO_ROLE, id="no-role-no-ask"),
        pytest.param(bearer("does-nothing"), Role.FEEDBACK, NO_ROLE, id="no-role-no-feedback"),
        pytest.param(bearer("from-environment"), Role.ASK, "key-" + digest("from-environment")[:8], id="environment"),
        pytest.param(bearer("from-environment"), Role.ADMIN, "key-" + digest("from-environment")[:8], id="env-admin"),
        pytest.param(bearer("expired"), Role.ASK, EXPIRED, id="expired"),
        pytest.param(bearer("expired"), Role.ADMIN, EXPIRED, id="expired-tells-no-role"),
        pytest.param(bearer("last-second"), Role.ASK, EXPIRED, id="expires-now"),
        pytest.param(bearer("still-good"), Role.ASK, "old", id="expires-in-a-second"),
        pytest.param(bearer("elsewhere"), Role.ASK, EXPIRED, id="expired-in-another-zone"),
        pytest.param(bearer("revoked"), Role.ASK, NO_KEY, id="revoked"),
        pytest.param(bearer("not-revoked"), Role.ASK, "gone", id="other-key-of-the-tenant"),
        pytest.param({}, Role.ASK, NO_KEY, id="missing"),
        pytest.param({"authorization": ""}, Role.ASK, NO_KEY, id="empty"),
        pytest.param({"authorization": "Bearer"}, Role.ASK, NO_KEY, id="scheme-alone"),
        pytest.param({"authorization": "Bearer "}, Role.ASK, NO_KEY, id="blank"),
        pytest.param({"authorization": "key-a"}, Role.ASK, NO_KEY, id="no-scheme"),
        pytest.param({"authorization": "Basic key-a"}, Role.ASK, NO_KEY, id="another-scheme"),
        pytest.param({"api-key": "key-a"}, Role.ASK, NO_KEY, id="another-header"),
        pytest.param({"x-api-key": "key-a"}, Role.ASK, "a", id="anthropics-header"),
        pytest.param(bearer("key-c"), Role.ASK, NO_KEY, id="wrong"),
        pytest.param(bearer("KEY-A"), Role.ASK, NO_KEY, id="wrong-case"),
        pytest.param(bearer("key-"), Role.ASK, NO_KEY, id="beginning"),
        pytest.param(bearer("key-a key-a"), Role.ASK, NO_KEY, id="twice"),
        pytest.param(bearer(digest("key-a")), Role.ASK, NO_KEY, id="the-hash"),
        pytest.param(bearer("a"), Role.ASK, NO_KEY, id="the-name"),
        pytest.param(bearer("k" * 100_000), Role.ASK, NO_KEY, id="very-long"),
        pytest.param(bearer("ключ"), Role.ASK, NO_KEY, id="not-ascii"),
        pytest.param(bearer("key-a\x00"), Role.ASK, NO_KEY, id="nul"),
    ],
)
def test_key_may_do_what_its_roles_say_until_it_expires(headers: Mapping[str, str], role: Role, outcome: str) -> None:
    if outcome in (NO_KEY, EXPIRED):
        with pytest.raises(AuthenticationError, match=outcome) as refused:
            keys().tenant_of(headers, role, NOON_S)
        assert (refused.value.http_status, refused.value.headers) == (401, {"www-authenticate": "Bearer"})
    elif outcome == NO_ROLE:
        with pytest.raises(PermissionDeniedError, match=f"has not the role '{role}'") as denied:
            keys().tenant_of(headers, role, NOON_S)
        assert denied.value.http_status == 403
    else:
        assert keys().tenant_of(headers, role, NOON_S).name == outcome


def tenant(key: str, found: ApiKeys | None = None, secret: Secrets = SECRET) -> Any:
    return (found or keys(secret=secret)).tenant_of(bearer(key), Role.ASK, NOON_S)


def test_without_keys_everybody_may_ask_and_with_an_empty_file_nobody_may() -> None:
    assert ApiKeys(SECRET).tenant_of({}, Role.ADMIN, NOON_S) is ANYBODY
    with pytest.raises(AuthenticationError, match=NO_KEY):
        ApiKeys(SECRET, entries=()).tenant_of({}, Role.ASK, NOON_S)


def test_keys_of_one_name_are_one_tenant_and_no_two_names_are() -> None:
    assert tenant("still-good") == tenant("still-good")
    found = keys([entry("a", "first"), entry("a", "second"), entry("b", "third")])
    assert tenant("first", found) == tenant("second", found)
    assert tenant("first", found).id != tenant("third", found).id


def test_tenant_may_use_its_models_alone() -> None:
    assert tenant("key-b").of(["large", "small"]) == ("small",)
    assert tenant("key-a").of(["large", "small"]) == ("large", "small")


def test_key_is_replaced_by_the_next_without_a_time_when_neither_is_good() -> None:
    found = keys([entry("a", "first")])
    before = tenant("first", found)
    found.replace(read_key_file(json.dumps({"keys": [entry("a", "first"), entry("a", "second")]}).encode()))
    assert tenant("first", found) == tenant("second", found) == before
    found.replace(read_key_file(json.dumps({"keys": [entry("a", "second")]}).encode()))
    assert tenant("second", found) == before
    with pytest.raises(AuthenticationError, match=NO_KEY):
        tenant("first", found)
    assert tenant("from-environment", found)


def test_what_is_logged_of_a_tenant_says_nothing_without_the_secret() -> None:
    other = Secrets(b"of another operator")
    assert tenant("from-environment").id != tenant("from-environment", secret=other).id
    assert SECRET.digest("prompt", "Hi") != other.digest("prompt", "Hi")
    assert SECRET.digest("prompt", "Hi") != SECRET.digest("api key", "Hi")
    assert "operator" not in repr(SECRET)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("keys: [", "^no YAML, line ", id="no-yaml"),
        pytest.param("keys: []\nkeys: []", "^line 2: key 'keys' stands in line 1 already; remove", id="key-twice"),
        pytest.param(
            "keys:\n- name: a\n  sk-Secret1: 1\n  sk-Secret1: 2",
            "^line 4: a key stands in line 3 already; remove one of the two$",
            id="secret-twice",
        ),
        pytest.param("[]", "object", id="a-list"),
        pytest.param("keys: []\nmore: 1", "more", id="unknown-key"),
        pytest.param("keys: [{name: a}]", "hash", id="no-hash"),
        pytest.param("keys: [{name: a, hash: key-a}]", "hash", id="a-key-for-a-hash"),
        pytest.param(json.dumps({"keys": [entry("a b", "k")]}), "name", id="name"),
        pytest.param(json.dumps({"keys": [entry("a", "k", roles=["root"])]}), "roles", id="role"),
        pytest.param(json.dumps({"keys": [entry("a", "k", models=[])]}), "models", id="no-models"),
        pytest.param(json.dumps({"keys": [entry("a", "k", expires="2027-01-01T00:00:00")]}), "expires", id="no-zone"),
        pytest.param(json.dumps({"keys": [entry("a", "k", limits={"rps": 1})]}), "rps", id="limit"),
        pytest.param(json.dumps({"keys": [entry("a", "k"), entry("b", "k")]}), "more than once", id="hash-twice"),
        pytest.param(
            json.dumps({"keys": [entry("a", "k"), entry("a", "l", roles=["ask"])]}), "'a' differ in roles", id="differ"
        ),
    ],
)
def test_file_that_is_wrong_is_refused_by_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_key_file(text.encode())


def test_file_that_is_far_too_long_is_refused_unread() -> None:
    with pytest.raises(ValueError, match=rf"^has {MAX_YAML_BYTES + 1} bytes; at most {MAX_YAML_BYTES} are read$"):
        read_key_file(b"[" * (MAX_YAML_BYTES + 1))


def test_sign_of_an_alias_in_a_text_is_none() -> None:
    told = "[{name: a, hash: '*', models: ['*']}]"
    with pytest.raises(ValueError, match=r"^keys.0.hash: String should match"):
        read_key_file(f"keys: {told}".encode())


def test_yaml_is_read_with_its_own_dates() -> None:
    (found,) = read_key_file(f"keys:\n- name: a\n  hash: {digest('k')}\n  expires: 2027-01-15T08:00:00Z\n".encode())
    assert found.expires is not None
    assert found.expires.timestamp() == NOON_S


@pytest.mark.parametrize("content", [pytest.param(b"keys: [", id="no-yaml"), pytest.param(b"\xff\xfe", id="no-text")])
def test_bytes_that_are_no_document_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="YAML"):
        read_key_file(content)


OLD, NEW = b"1" * 32, b"2" * 32


@pytest.mark.parametrize(
    "key", [pytest.param("key-a", id="of-the-file"), pytest.param("from-environment", id="of-the-environment")]
)
def test_keys_and_earlier_requests_of_a_tenant_are_known_while_its_secret_is_exchanged(key: str) -> None:
    secrets = Secrets(OLD)
    found = keys([{"name": "a", "hash": digest("key-a", secrets)}], secrets)
    before = tenant(key, found)
    secrets.load(OLD + b"\n" + NEW)
    assert tenant(key, found).id == before.id
    secrets.load(NEW + b"\n" + OLD)
    after = tenant(key, found)
    assert after.id != before.id
    assert after.ids == (after.id, before.id)


def test_a_hash_counts_no_longer_than_its_secret() -> None:
    secrets = Secrets(OLD)
    found = keys([{"name": "a", "hash": digest("key-a", secrets)}], secrets)
    secrets.load(NEW)
    with pytest.raises(AuthenticationError, match=NO_KEY):
        tenant("key-a", found)
    assert tenant("from-environment", found).former_ids == ()


ALIAS_BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("{~: 1}", "^holds what JSON has no form for", id="key-that-is-no-text"),
        pytest.param("keys: &a [*a]", r"^holds an alias \(\*\); write out", id="holds-itself"),
        pytest.param(ALIAS_BOMB, r"^holds an alias \(\*\); write out", id="alias-bomb"),
        pytest.param(MERGE_BOMB, r"^holds an alias \(\*\); write out", id="merge-bomb"),
        pytest.param(
            "keys: " + "[" * 1000, f"^holds values within values, more than {MAX_YAML_DEPTH} deep$", id="deep"
        ),
        pytest.param("- " * 200_000, f"^holds values within values, more than {MAX_YAML_DEPTH} deep$", id="deep-block"),
        pytest.param("keys: [{name: a, expires: 2027-13-45}]", "^holds a value that YAML cannot read$", id="no-date"),
        pytest.param("keys: [{name: a, hash: sk-plain}]", "^keys.0.hash: String should match", id="plain-key"),
        pytest.param(
            f"keys: [{{name: a, hash: {'0' * 63}a, sk-plain: 1}}]", r"^keys.0.\(an unknown name\): Extra", id="name"
        ),
    ],
)
def test_file_that_cannot_be_taken_is_refused_without_its_content(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        read_key_file(text.encode())
    assert "sk-plain" not in str(refused.value)
