"""What the operator can set about the attempt log; part of the application's config."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from profiles.strict import Discreet

SQLITE = "sqlite"
# a century; the calendar ends some twenty of them ago
MAX_DAYS = 36_500
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class LogSettings(Discreet):
    """Where attempts are logged. A URL with a password is refused, and not printed with the refusal."""

    enabled: bool = True
    url: str | None = Field(
        default=None, description="SQLAlchemy URL of SQLite or PostgreSQL, without a password; else a local SQLite."
    )
    url_env: str | None = Field(
        default=None, min_length=1, description="Environment variable with the URL, for one that holds a password."
    )
    spool_dir: str | None = Field(default=None, description="Local folder of the journals; else in laar's cache.")
    max_spool_bytes: int = Field(
        default=256 * 1024 * 1024, ge=64 * 1024, description="Most bytes of journals that wait for the database."
    )
    when_full: Literal["drop", "refuse"] = Field(
        default="drop",
        description="When the journals are full: answer and count what the log loses, or refuse requests with a 503.",
    )
    flush_period_s: PositiveFloat = Field(default=0.5, description="How often records move to the database.")
    batch_requests: int = Field(default=500, ge=1, le=10_000, description="Most requests written in one transaction.")
    retention_days: Annotated[float, Field(gt=0, le=MAX_DAYS)] | None = Field(
        default=90, description="Older rows are deleted; null keeps all."
    )
    store_prompts: bool = Field(default=False, description="Store the texts of prompts and answers too.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.url is not None and self.url_env is not None:
            raise ValueError(f"url ('{shown_url(self.url)}') and url_env ('{self.url_env}') exclude each other")
        if self.url is not None and database_url(self.url).password is not None:
            raise ValueError(f"url '{shown_url(self.url)}' holds a password; put it into a variable named by url_env")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlan:
    """The log's settings with database and spool folder found out; `url` may hold a password."""

    settings: LogSettings
    url: str = field(repr=False)
    spool_dir: Path


def plan_log(settings: LogSettings, environ: Mapping[str, str], cache_dir: Path) -> LogPlan | None:
    """Where to log, or None for nowhere; raises ValueError if the environment lacks what the settings name.

    Without a spool folder of its own every database has another one, so that no journal meets the wrong one.
    """
    if not settings.enabled:
        return None
    text = settings.url or default_url(cache_dir)
    if settings.url_env is not None:
        text = environ.get(settings.url_env, "").strip()
        if not text:
            raise ValueError(f"log.url_env: environment variable '{settings.url_env}' holds no URL")
    url = database_url(text)
    place = hashlib.sha256(f"{url.host}:{url.port}/{url.database}".encode()).hexdigest()[:12]
    spool_dir = Path(settings.spool_dir) if settings.spool_dir else cache_dir / "log" / f"spool-{place}"
    return LogPlan(settings=settings, url=url.render_as_string(hide_password=False), spool_dir=spool_dir)


def default_url(cache_dir: Path) -> str:
    return f"sqlite:///{cache_dir / 'log' / 'attempts.sqlite'}"


def database_url(text: str) -> URL:
    """The URL with the driver that laar uses; ValueError if laar has none for it, or it names no lasting place."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("the log's URL cannot be read; such as postgresql://laar@host/laar is wanted") from None
    if url.drivername not in _DRIVERS:
        raise ValueError(f"the log's URL is for '{url.drivername}'; known: {', '.join(map(repr, _DRIVERS))}")
    if not url.database or url.database == ":memory:":
        raise ValueError(f"the log's URL '{shown_url(text)}' names no database")
    return url.set(drivername=_DRIVERS[url.drivername])


def shown_url(text: str) -> str:
    """The URL as people may see it, without its password."""
    try:
        return make_url(text).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "(unreadable)"
