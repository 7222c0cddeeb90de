"""Which tenant an API key belongs to; of a key only a digest is ever kept."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from deployments.contract.errors import AuthenticationError, PermissionDeniedError
from deployments.contract.secret import NO_SECRET, Secrets
from deployments.router.tenants.tenant import ANYBODY, KeyLimits, Role, Tenant
from deployments.router.upkeep.watched_file import yaml_as_json
from profiles.strict import Discreet, what_is_wrong

MAX_KEYS = 10_000
MAX_KEY_CHARS = 1024
_PLAIN_NAME = re.compile(r"[a-z_]{1,24}$")
# faults of a file that a message tells
MAX_TOLD = 5
_KEY, _TENANT = "api key", "tenant"


class KeyEntry(Discreet):
    """One key in the operator's file. Keys of one name are one tenant, so that a key can be replaced by the next."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires: AwareDatetime | None = None
    revoked: bool = False
    roles: frozenset[Role] = frozenset({Role.ASK, Role.FEEDBACK})
    models: frozenset[str] | None = Field(default=None, min_length=1)
    limits: KeyLimits = KeyLimits()


class KeyFile(Discreet):
    """The operator's file of keys."""

    keys: tuple[KeyEntry, ...] = Field(max_length=MAX_KEYS)

    @model_validator(mode="after")
    def _keys_of_one_name_agree(self) -> Self:
        first: dict[str, KeyEntry] = {}
        for entry in self.keys:
            other = first.setdefault(entry.name, entry)
            if (entry.roles, entry.models, entry.limits) != (other.roles, other.models, other.limits):
                raise ValueError(f"keys named '{entry.name}' differ in roles, models or limits; one tenant has one set")
        if len({entry.hash for entry in self.keys}) < len(self.keys):
            raise ValueError("a hash stands more than once")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPlan:
    """Where the accepted keys and the operator's secrets are.

    `plain` are digests, made with `plain_secret`, of the keys that may do everything. Where a `secrets_file` is named,
    each router replica loads it into `secrets`, at its start and when it changes.
    """

    secrets: Secrets
    secrets_file: str | None = None
    plain_secret: Secrets
    plain: frozenset[str] = frozenset()
    keys_file: str | None = None
    refresh_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Grant:
    tenant: Tenant
    expires_at_s: float | None = None
    is_revoked: bool = False


class ApiKeys:
    """The accepted keys; with none at all, everybody may ask."""

    def __init__(
        self,
        secrets: Secrets,
        entries: Iterable[KeyEntry] | None = None,
        *,
        plain: Iterable[str] = (),
        plain_secret: Secrets = NO_SECRET,
    ) -> None:
        """Keys with the digests `plain` may do everything; without `entries` there is no file of keys."""
        self._secrets, self._plain, self._plain_secret = secrets, frozenset(plain), plain_secret
        self._is_open = not self._plain and entries is None
        self.replace(entries or ())

    def replace(self, entries: Iterable[KeyEntry]) -> None:
        """Take over the keys of a file, in the place of those that were read of it before."""
        self._granted = {entry.hash: _grant(entry) for entry in entries}

    def tenant_of(self, headers: Mapping[str, str], role: Role, now_s: float) -> Tenant:
        """Whose key a request has. AuthenticationError if it is not accepted, PermissionDeniedError without the role.

        `now_s` counts from 1970 in UTC.
        """
        if self._is_open:
            return ANYBODY
        # Anthropic's clients send a key without a scheme
        given = headers.get("authorization") or f"Bearer {headers.get('x-api-key', '')}"
        scheme, _, key = given.partition(" ")
        grant = self._grant_of(key.strip()) if len(key) <= MAX_KEY_CHARS else None
        if scheme.lower() != "bearer" or grant is None or grant.is_revoked:
            raise AuthenticationError("Authorization: a valid API key is needed, as 'Bearer <key>'")
        if grant.expires_at_s is not None and now_s >= grant.expires_at_s:
            raise AuthenticationError("Authorization: this API key has expired")
        if role not in grant.tenant.roles:
            raise PermissionDeniedError(f"Authorization: this API key has not the role '{role}', which is needed here")
        return grant.tenant

    def _grant_of(self, key: str) -> _Grant | None:
        """What a key is granted. Its tenant's id follows the secrets, which may have changed since the last request."""
        digests = self._secrets.digests(_KEY, key)
        for digest in digests:
            if (found := self._granted.get(digest)) is not None:
                id_, *former_ids = self._secrets.digests(_TENANT, found.tenant.name)
                return replace(found, tenant=replace(found.tenant, id=id_, former_ids=tuple(former_ids)))
        if key_digest(self._plain_secret, key) in self._plain:
            return _Grant(Tenant(id=digests[0], former_ids=digests[1:], name=f"key-{digests[0][:8]}"))
        return None


def key_digest(secrets: Secrets, key: str) -> str:
    """What the operator's file holds of a key."""
    return secrets.digest(_KEY, key)


def read_key_file(content: bytes) -> tuple[KeyEntry, ...]:
    """The keys in a file of YAML or JSON; ValueError says what is wrong with it, without showing what it holds."""
    found = yaml_as_json(content)
    try:
        return KeyFile.model_validate_json(found).keys
    except ValidationError as error:
        raise ValueError("; ".join(map(_told, error.errors(include_input=False)[:MAX_TOLD]))) from None


def _told(error: ErrorDetails) -> str:
    path = list(map(str, error["loc"]))
    if error["type"] == "extra_forbidden" and not _PLAIN_NAME.match(path[-1]):
        # it may be an API key in the wrong place
        path[-1] = "(an unknown name)"
    return f"{'.'.join(path)}: {what_is_wrong(error)}"


def _grant(entry: KeyEntry) -> _Grant:
    tenant = Tenant(id="", name=entry.name, roles=entry.roles, models=entry.models, limits=entry.limits)
    return _Grant(tenant, None if entry.expires is None else _seconds(entry.expires), entry.revoked)


def _seconds(at: datetime) -> float:
    return at.astimezone(UTC).timestamp()
