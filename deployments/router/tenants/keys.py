"""Which tenant an API key belongs to; of a key only a digest is ever kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self

import msgspec
import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from deployments.contract.errors import AuthenticationError, PermissionDeniedError
from deployments.contract.secret import Secret
from deployments.router.tenants.tenant import ANYBODY, KeyLimits, Role, Tenant

MAX_KEYS = 10_000
MAX_KEY_CHARS = 1024
_KEY, _TENANT = "api key", "tenant"


class KeyEntry(BaseModel):
    """One key in the operator's file. Keys of one name are one tenant, so that a key can be replaced by the next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires: AwareDatetime | None = None
    revoked: bool = False
    roles: frozenset[Role] = frozenset({Role.ASK, Role.FEEDBACK})
    models: frozenset[str] | None = Field(default=None, min_length=1)
    limits: KeyLimits = KeyLimits()


class KeyFile(BaseModel):
    """The operator's file of keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    """Where the accepted keys are: digests of those that may do everything, and the operator's file."""

    secret: Secret
    digests: frozenset[str] = frozenset()
    keys_file: str | None = None
    refresh_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Grant:
    tenant: Tenant
    expires_at_s: float | None = None
    is_revoked: bool = False


class ApiKeys:
    """The accepted keys; with none at all, everybody may ask."""

    def __init__(self, secret: Secret, digests: Iterable[str] = (), entries: Iterable[KeyEntry] | None = None) -> None:
        """Keys with these digests may do everything; without `entries` there is no file of keys."""
        self._secret = secret
        self._plain = {digest: _Grant(_plain_tenant(digest)) for digest in digests}
        self._granted = self._plain
        self._is_open = not self._plain and entries is None
        self.replace(entries or ())

    def replace(self, entries: Iterable[KeyEntry]) -> None:
        """Take over the keys of a file, in the place of those that were read of it before."""
        self._granted = self._plain | {entry.hash: _grant(self._secret, entry) for entry in entries}

    def load(self, content: bytes) -> tuple[KeyEntry, ...]:
        """Take over the keys of a file; ValueError leaves them as they were."""
        entries = read_key_file(content.decode())
        self.replace(entries)
        return entries

    def tenant_of(self, headers: Mapping[str, str], role: Role, now_s: float) -> Tenant:
        """Whose key a request has. AuthenticationError if it is not accepted, PermissionDeniedError without the role.

        `now_s` counts from 1970 in UTC.
        """
        if self._is_open:
            return ANYBODY
        scheme, _, key = headers.get("authorization", "").partition(" ")
        grant = self._granted.get(key_digest(self._secret, key.strip())) if len(key) <= MAX_KEY_CHARS else None
        if scheme.lower() != "bearer" or grant is None or grant.is_revoked:
            raise AuthenticationError("Authorization: a valid API key is needed, as 'Bearer <key>'")
        if grant.expires_at_s is not None and now_s >= grant.expires_at_s:
            raise AuthenticationError("Authorization: this API key has expired")
        if role not in grant.tenant.roles:
            raise PermissionDeniedError(f"Authorization: this API key has not the role '{role}', which is needed here")
        return grant.tenant


def key_digest(secret: Secret, key: str) -> str:
    """What the operator's file holds of a key."""
    return secret.digest(_KEY, key)


def read_key_file(text: str) -> tuple[KeyEntry, ...]:
    """The keys in a file of YAML or JSON; ValueError says what is wrong with it, without showing what it holds."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"no YAML{f', line {mark.line + 1}' if mark is not None else ''}") from None
    # dates are taken in YAML's form too
    return KeyFile.model_validate_json(msgspec.json.encode(found)).keys


def _grant(secret: Secret, entry: KeyEntry) -> _Grant:
    tenant = Tenant(
        id=secret.digest(_TENANT, entry.name),
        name=entry.name,
        roles=entry.roles,
        models=entry.models,
        limits=entry.limits,
    )
    return _Grant(tenant, None if entry.expires is None else _seconds(entry.expires), entry.revoked)


def _seconds(at: datetime) -> float:
    return at.astimezone(UTC).timestamp()


def _plain_tenant(digest: str) -> Tenant:
    return Tenant(id=digest, name=f"key-{digest[:8]}")
