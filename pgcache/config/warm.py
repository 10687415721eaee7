"""The options of warming up: what is asked before clients do, when, and as whom.

Counterpart: ``admin/warmer`` does it. Knows nothing of sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from pgcache.config.schedule import SCHEDULE_HELP, START, Schedules
from pgcache.config.section import Section, option


class WarmUpConfig(Section):
    """Asking before clients do: queries that were recorded, and those of [[warm]]."""

    top: int = option(
        0,
        "How many recorded queries to ask, those that saved most first.",
        "0 or more; 0: none by itself",
        ge=0,
    )
    schedule: Schedules = option(
        (START,), "When to ask them, in the time zone of the process.", SCHEDULE_HELP
    )
    concurrency: int = option(4, "Queries at the same time.", "1 or more", ge=1)
    max_recorded: int = option(
        500, "Queries whose exact form is remembered, the most valuable.", "0 or more", ge=0
    )
    record: str | None = option(
        None,
        "File that keeps them over a restart, readable by its owner alone, because it holds "
        "query texts and parameters.",
        "a file name",
    )
    passfile: str | None = option(
        None,
        "Passwords of the roles that queries are asked as, in the format of PostgreSQL's "
        "password file and for the origin's address.",
        "a file name",
    )
    user: str | None = option(
        None,
        "A superuser of the origin. It asks for roles without a password in passfile, after SET "
        "SESSION AUTHORIZATION.",
        "a role name",
    )
    password: SecretStr | None = option(None, "Its password.", "a secret text")

    @model_validator(mode="after")
    def _complete(self) -> WarmUpConfig:
        if self.password is not None and self.user is None:
            raise ValueError("password is whose? give user as well")
        return self


class WarmConfig(Section):
    """A query to ask before clients do: in the form that a client gives it, or it helps nobody."""

    query: str = Field(
        description="Its text, as the client sends it.",
        json_schema_extra={"allowed": "SQL"},
        min_length=1,
    )
    user: str = Field(
        description="The role that will ask.",
        json_schema_extra={"allowed": "a role name"},
        min_length=1,
    )
    database: str | None = option(
        None, "The database; the upstream URL's by default.", "a database name"
    )
    password: SecretStr | None = option(
        None, "The role's password, where it is not in warm_up.passfile.", "a secret text"
    )
    settings: Mapping[str, str] = option(
        {},
        "What the client sets, such as { TimeZone = 'UTC', search_path = 'sales, public' }.",
        "names and texts",
    )
    protocol: Literal["simple", "extended"] = option(
        "simple",
        "How the client sends it; 'extended' without parameters and with results as text is the "
        "same to the cache.",
        "'simple' or 'extended'",
    )
    format: Literal["text", "binary"] = option(
        "text", "The format that the client asks results in.", "'text' or 'binary'"
    )
    schedule: Schedules = option(
        (START,), "When to ask, in the time zone of the process.", SCHEDULE_HELP
    )

    @model_validator(mode="after")
    def _possible(self) -> WarmConfig:
        if self.format == "binary" and self.protocol == "simple":
            raise ValueError("format = 'binary' needs protocol = 'extended'")
        return self
