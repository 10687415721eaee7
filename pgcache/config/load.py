"""Finds the configuration: flags beat environment beats file beats defaults.

Counterpart: ``model.py`` says what may be given; here every mistake becomes a ``ConfigError`` that
names the file, table and key (or the variable, or the flag), what was given and what is allowed.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from pgcache.config.lifetimes import RuleConfig, TableConfig
from pgcache.config.model import Config, EventConfig, FunctionConfig
from pgcache.config.together import check_together
from pgcache.config.warm import WarmConfig
from pgcache.errors import ConfigError

PREFIX = "PGCACHE_"

# Flag and short variable (PGCACHE_UPSTREAM) -> the option they stand for.
SHORTHANDS: dict[str, tuple[str, str]] = {
    "listen": ("listen", "address"),
    "upstream": ("upstream", "url"),
    "store": ("store", "url"),
    "admin": ("admin", "address"),
    "workers": ("listen", "workers"),
}

_NAMED: dict[str, type[BaseModel]] = {
    "tables": TableConfig,
    "functions": FunctionConfig,
    "events": EventConfig,
}
# [[rules]] and [[warm]], in their order
_LISTED: dict[str, type[BaseModel]] = {"rules": RuleConfig, "warm": WarmConfig}
_LISTS = {("admin", "users"), ("admin", "hosts"), ("cache", "ttl_by_cost")}
# values that are never shown: secrets, and what may hold a password
_SECRET = {
    ("upstream", "url"),
    ("admin", "token"),
    ("store", "url"),
    ("store", "secret"),
    ("invalidation", "stream_url"),
}


@dataclass
class _Sources:
    """Values as found so far, and where each came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Lay one value over what is there."""
        table = self.values
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = value
        self.origins[path] = origin


def generic_name(section: str) -> str:
    """What stands for a name in advice about the tables of such a section."""
    return "event.name" if section == "events" else "schema.name"


def load_config(
    file: Path | None = None,
    *,
    flags: Mapping[str, str | int | None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """The configuration of this process, checked.

    ``flags`` maps the names in ``SHORTHANDS`` to what was given on the command line (None: not
    given). Raises ``ConfigError`` with a hint.
    """
    environ = os.environ if environ is None else environ
    sources = _Sources()
    file = file or _file_from(environ)
    if file is not None:
        _read_file(file, sources)
    _read_environment(environ, sources)
    for name, value in (flags or {}).items():
        if value is not None:
            sources.put(SHORTHANDS[name], value, f"--{name}")
    return _validate(sources, environ)


def _file_from(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("PGCACHE_CONFIG")
    return Path(name) if name else None


def _read_file(file: Path, sources: _Sources) -> None:
    """Lay a TOML file's values down; unknown tables and keys are found here, with their place."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {file}: {error.strerror}",
            hint="check the name given with --config or PGCACHE_CONFIG",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}", hint=_example_hint()) from None
    for section, content in document.items():
        _check_section(file, section, content)
        sources.origins[section,] = f"{file}: [{section}]"
        _read_section(file, section, content, sources)


def _check_section(file: Path, section: str, content: Any) -> None:
    if section not in Config.model_fields:
        shown = f"[{section}]" if isinstance(content, (dict, list)) else repr(section)
        raise ConfigError(
            f"{file}: unknown {'table' if shown[0] == '[' else 'key'} {shown}",
            hint=_nearest(section, Config.model_fields),
        )
    if section in _LISTED:
        if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
            raise ConfigError(f"{file}: {section} must be tables", hint=f"write [[{section}]]")
    elif not isinstance(content, dict):
        raise ConfigError(f"{file}: {section} must be a table", hint=f"write [{section}]")


def _read_section(file: Path, section: str, content: Any, sources: _Sources) -> None:
    if section in _LISTED:
        _read_list(file, section, content, sources)
        return
    named = _NAMED.get(section)
    if named is None:
        _read_keys(file, (section,), content, _section_model(section), sources)
        return
    sources.values.setdefault(section, {})
    for name, table in content.items():
        if not isinstance(table, dict):
            raise ConfigError(
                f"{file}: [{section}] {name} must be a table",
                hint=f'write [{section}."{generic_name(section)}"] and its keys below',
            )
        sources.values[section].setdefault(name, {})
        sources.origins[section, name] = f'{file}: [{section}."{name}"]'
        _read_keys(file, (section, name), table, named, sources)


def _read_list(file: Path, section: str, content: list[dict[str, Any]], sources: _Sources) -> None:
    model = _LISTED[section]
    sources.values[section] = content
    for number, table in enumerate(content):
        shown = f"[[{section}]] {number + 1}"
        sources.origins[section, str(number)] = f"{file}: {shown}"
        for key in table:
            if key not in model.model_fields:
                raise ConfigError(
                    f"{file}: {shown} has the unknown key {key!r}",
                    hint=_nearest(key, model.model_fields),
                )
            sources.origins[section, str(number), key] = f"{file}: {shown} {key}"


def _read_keys(
    file: Path,
    path: tuple[str, ...],
    content: dict[str, Any],
    model: type[BaseModel],
    sources: _Sources,
) -> None:
    shown = f"[{path[0]}]" if len(path) == 1 else f'[{path[0]}."{path[1]}"]'
    for key, value in content.items():
        if key not in model.model_fields:
            if len(path) == 2 and isinstance(value, dict):
                raise ConfigError(
                    f"{file}: [{path[0]}.{path[1]}.{key}] needs quotes around the name",
                    hint=f'write [{path[0]}."{path[1]}.{key}"]',
                )
            raise ConfigError(
                f"{file}: {shown} has the unknown key {key!r}",
                hint=_nearest(key, model.model_fields),
            )
        sources.put((*path, key), value, f"{file}: {shown} {key}")


def _read_environment(environ: Mapping[str, str], sources: _Sources) -> None:
    """``PGCACHE_SECTION__KEY``, and the short names.

    Other ``PGCACHE_…`` variables are left alone: Kubernetes sets such for a service of that name.
    """
    for name, path in SHORTHANDS.items():
        variable = PREFIX + name.upper()
        if environ.get(variable):
            sources.put(path, environ[variable], variable)
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and "__" in variable:
            path = _environment_path(variable)
            value: Any = environ[variable]
            if path in _LISTS:
                value = [item.strip() for item in value.split(",") if item.strip()]
            sources.put(path, value, variable)


def _environment_path(variable: str) -> tuple[str, str]:
    section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
    if section in _NAMED or section in _LISTED:
        raise ConfigError(
            f"{variable}: [{section}] has no environment variables",
            hint="give them in the file named by --config",
        )
    if section not in Config.model_fields:
        raise ConfigError(
            f"{variable}: unknown table [{section}]",
            hint=_nearest(
                section, [name for name in Config.model_fields if name not in {*_NAMED, *_LISTED}]
            ),
        )
    model = _section_model(section)
    if key not in model.model_fields:
        raise ConfigError(
            f"{variable}: [{section}] has the unknown key {key!r}",
            hint=_nearest(key, model.model_fields),
        )
    return section, key


def _section_model(section: str) -> type[BaseModel]:
    model = Config.model_fields[section].annotation
    assert isinstance(model, type) and issubclass(model, BaseModel)
    return model


def _validate(sources: _Sources, environ: Mapping[str, str]) -> Config:
    if "url" not in sources.values.get("upstream", {}):
        raise ConfigError(
            "no origin given: pgcache does not know which PostgreSQL to stand in front of",
            hint="pass --upstream postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "or set PGCACHE_UPSTREAM, or [upstream] url in the file",
        )
    try:
        config = Config.model_validate(sources.values, context={"environ": environ})
    except ValidationError as error:
        _refuse(error, sources)
    check_together(config)
    return config


def _refuse(error: ValidationError, sources: _Sources) -> NoReturn:
    """The first problem as one line of advice; how many more there are."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    problem = problems[0]
    path = tuple(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    where, given, allowed = _place(path, sources)
    if problem["type"] == "value_error":
        statement, _, hint = message.partition("; ")
    elif problem["type"] == "missing":
        statement, hint = "is missing", f"give {allowed}" if allowed else message
    else:
        statement, hint = "is not allowed here", f"allowed: {allowed}" if allowed else message
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise ConfigError(f"{where}{given}: {statement}{more}", hint=hint or None)


def _place(path: tuple[str, ...], sources: _Sources) -> tuple[str, str, str]:
    """Where a value came from, the value as given, and what its option allows."""
    while path and path not in sources.origins and _option(path) is None:
        if len(path) == 1:
            break
        path = path[:-1]
    where = sources.origins.get(path)
    if where is None and path[:-1] in sources.origins:
        where = f"{sources.origins[path[:-1]]} {path[-1]}"
    where = where or " ".join(["[" + path[0] + "]", *path[1:]])
    value: Any = sources.values
    for part in path:
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    is_secret = path in _SECRET or path[-1] == "password"
    shown = value is not None and not isinstance(value, dict) and not is_secret
    return where, f" = {value!r}" if shown else "", _option(path) or ""


def _option(path: tuple[str, ...]) -> str | None:
    """What the option at ``path`` allows, in words; None where that is no option."""
    if len(path) < 2 or path[0] not in Config.model_fields:
        return None
    named = _NAMED.get(path[0]) or _LISTED.get(path[0])
    if named is not None and len(path) < 3:
        return None
    model, key = (named, path[2]) if named is not None else (_section_model(path[0]), path[1])
    info = model.model_fields.get(key)
    extra = info.json_schema_extra if info is not None else None
    return str(extra["allowed"]) if isinstance(extra, dict) else None


def _nearest(given: str, known: Any) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"


def _example_hint() -> str:
    return "config.example.toml shows every table and key"
