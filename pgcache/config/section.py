"""What every section of the configuration is made of. Counterpart: ``model.py``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def option(default: Any, help_text: str, allowed: str, **constraints: Any) -> Any:
    """One option: its default as written in the file, its help, and what may be given."""
    return Field(
        default=default,
        description=help_text,
        json_schema_extra={"allowed": allowed},
        **constraints,
    )


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change, defaults are checked."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )


def check_qualified(name: str, what: str) -> None:
    """Raise ValueError unless ``name`` is ``schema.name``: a bare name would depend on a path."""
    schema, dot, last = name.partition(".")
    if not dot or not schema or not last:
        example = f"public.{last or schema or 'orders'}"
        raise ValueError(f"{name!r} is no {what}; write it with its schema, like {example!r}")
