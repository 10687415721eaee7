"""Sessions as text: what the clients of one test say, and which replies must come from the cache.

A script is read by a person first. One line is one message or one action:

    title: pgjdbc, autocommit, the same statement often
    rules: W-52 W-53
    setup:
        create table extra (id int)
    session:
        startup client_encoding=UTF8
        P "" "select * from t where id=$1" oids=[23]
        B "" "" params=[{"int4": 7}] formats=[1]
        D P ""
        E ""
        S                                        => hit

Messages gather until a line that waits: `Q`, `S` and `F` wait until the server is ready (a line
ending in ` +` does not: the next message goes out in the same write). `wait T` sends what has
gathered and waits for a message of that type. `B>` before a line picks another connection.
Options are `new-oids` (the script makes objects, whose numbers differ from play to play),
`few-cuts` (it is slow by nature and says nothing new cut at every byte), `newest` (nor on older
servers) and `own-data` (it updates rows that others read: they would come in another order).
`=> hit` after a waiting line says that its rows come from the cache once the session was played
before; `=> pass` that they never do. Every word is explained in `_WORDS` below.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import frames
from tests.support.postgres import MAJORS

_TOKEN = re.compile(r'\s*(?:([a-z_.]+)=)?("(?:[^"\\]|\\.)*"|[\[{]|[^\s"\[{]+)', re.IGNORECASE)
_SECTIONS = ("setup", "session")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a session."""

    line: int
    text: str
    connection: str
    action: str
    payload: bytes = b""
    options: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False
    owes: int = 0
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A session (of one or more connections) with what it needs and what it shows."""

    path: Path
    title: str
    rules: tuple[str, ...]
    options: frozenset[str]
    since: int
    setup: str
    steps: tuple[Step, ...]

    @property
    def marked(self) -> bool:
        """Tell whether any line says that it must be a hit."""
        return any(step.expected == "hit" for step in self.steps)

    def runs_on(self, major: int) -> bool:
        """Tell whether it is to be played on that version."""
        return self.since <= major and ("newest" not in self.options or major == MAJORS[-1])


class ScriptError(ValueError):
    """A script that cannot be read; names the file and line."""


def read_script(path: Path) -> Script:
    """Read a script file."""
    heads: dict[str, str] = {}
    sections: dict[str, list[tuple[int, str]]] = {name: [] for name in _SECTIONS}
    section = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        stripped = line.strip()
        if stripped.rstrip(":") in _SECTIONS and stripped.endswith(":"):
            section = stripped.rstrip(":")
        elif section:
            sections[section].append((number, line))
        elif stripped and not stripped.startswith("#"):
            name, _, value = stripped.partition(":")
            heads[name.strip()] = value.strip()
    steps = []
    for number, line in sections["session"]:
        if line.strip() and not line.strip().startswith("#"):
            try:
                steps.append(_read_step(number, line.strip()))
            except (KeyError, ValueError, IndexError) as error:
                raise ScriptError(f"{path}:{number}: {line.strip()}: {error!r}") from error
    return Script(
        path=path,
        title=heads.get("title", path.stem),
        rules=tuple(heads.get("rules", "").split()),
        options=frozenset(heads.get("options", "").split()),
        since=int(heads.get("since", "0")),
        setup="\n".join(line for _, line in sections["setup"]),
        steps=tuple(steps),
    )


def _read_step(number: int, line: str) -> Step:
    text = line
    line, _, expected = line.partition(" => ")
    connection = "A"
    if re.match(r"[A-Z]> ", line):
        connection, line = line[0], line[3:]
    line = line.strip()
    glued = line.endswith(" +")
    word, _, rest = line.removesuffix(" +").strip().partition(" ")
    arguments, options = _read_arguments(rest)
    build = _WORDS.get(word)
    if build is None:
        raise ValueError(f"no such word: {word}")
    made = build(arguments, options)
    waits = made.waits and not glued
    if expected not in ("", "hit", "pass") or (expected and not waits):
        raise ValueError("'=> hit' and '=> pass' stand after a line that waits")
    return Step(
        number, text, connection, made.action, made.payload, options, waits, made.owes, expected
    )


def _read_arguments(rest: str) -> tuple[list[str], dict[str, Any]]:
    """Read words, quoted strings and `key=value` (the value is a word, a string or JSON)."""
    words: list[str] = []
    options: dict[str, Any] = {}
    position = 0
    while position < len(rest.rstrip()):
        found = _TOKEN.match(rest, position)
        if found is None:
            raise ValueError(f"cannot read from column {position}: {rest[position:]}")
        key, token = found.groups()
        value: Any = token
        position = found.end()
        if token[0] in '"[{':
            value, length = json.JSONDecoder().raw_decode(rest[found.start(2) :])
            position = found.start(2) + length
        if key is None:
            words.append(value)
        else:
            options[key] = value
    return words, options


@dataclass(frozen=True, slots=True)
class _Made:
    action: str
    payload: bytes = b""
    waits: bool = False
    owes: int = 0


def _value(given: Any) -> bytes | None:
    """Read a parameter: text, null, or `{"int4": 1}` and the like for binary ones."""
    if given is None:
        return None
    if isinstance(given, str):
        return given.encode()
    ((kind, value),) = given.items()
    if kind == "hex":
        return bytes.fromhex(value)
    return struct.pack({"int2": "!h", "int4": "!i", "int8": "!q"}[kind], value)


def _bind(words: Sequence[str], options: Mapping[str, Any]) -> _Made:
    return _Made(
        "send",
        frames.bind(
            words[0],
            words[1],
            [_value(given) for given in options.get("params", [])],
            options.get("formats", []),
            options.get("results", []),
        ),
    )


def _startup(words: Sequence[str], options: Mapping[str, Any]) -> _Made:
    return _Made("startup", waits=True)


def _message(words: Sequence[str], options: Mapping[str, Any]) -> _Made:
    body = bytes.fromhex(options["hex"]) if "hex" in options else words[1].encode()
    return _Made("send", frames.message(words[0], body))


def _function(words: Sequence[str], options: Mapping[str, Any]) -> _Made:
    values = [_value(given) for given in options.get("params", [])]
    return _Made("send", frames.function_call(int(words[0]), values), waits=True, owes=1)


def _query(text: bytes) -> bytes:
    return frames.message("Q", text + b"\0")


def _send(payload: bytes) -> _Made:
    return _Made("send", payload)


_WORDS: Mapping[str, Callable[[Sequence[str], Mapping[str, Any]], _Made]] = {
    # startup key=value …: open the connection; `version=3.2`, `user=`, `database=` as well.
    "startup": _startup,
    # raw "hex": bytes outside any message.
    "raw": lambda words, _: _send(bytes.fromhex(words[0])),
    # byte: wait for one bare byte, the answer to SSLRequest or GSSENCRequest.
    "ssl": lambda *_: _Made("byte", frames.SSL_REQUEST, waits=True),
    "gss": lambda *_: _Made("byte", frames.GSS_REQUEST, waits=True),
    "Q": lambda words, _: _Made("send", frames.query(words[0]), waits=True, owes=1),
    # query "hex": a Query whose text is no UTF-8.
    "query": lambda words, _: _Made("send", _query(bytes.fromhex(words[0])), waits=True, owes=1),
    "P": lambda words, options: _send(frames.parse(words[0], words[1], options.get("oids", []))),
    "B": _bind,
    "D": lambda words, _: _send(frames.describe_request(words[0], words[1])),
    "E": lambda words, options: _send(frames.execute(words[0], int(options.get("max", 0)))),
    "C": lambda words, _: _send(frames.close_request(words[0], words[1])),
    "S": lambda *_: _Made("send", frames.SYNC, waits=True, owes=1),
    # sync: a Sync that owes no ReadyForQuery, as inside a copy.
    "sync": lambda *_: _send(frames.SYNC),
    "H": lambda *_: _send(frames.FLUSH),
    "F": _function,
    "d": lambda words, _: _send(frames.message("d", words[0].encode())),
    "c": lambda *_: _send(frames.COPY_DONE),
    "f": lambda words, _: _send(frames.message("f", frames.text(words[0]))),
    # message T "body" or message T hex="00ff": any type, known or not.
    "message": _message,
    # wait T: send what has gathered, wait for such a message; `wait Z`, `wait close`.
    "wait": lambda words, _: _Made(f"wait {words[0]}", waits=True),
    # flush: send what has gathered and wait for nothing (the server may be blocked by a lock).
    "flush": lambda *_: _Made("flush"),
    # expect-quiet: nothing may arrive now.
    "expect-quiet": lambda *_: _Made("quiet", waits=True),
    # await-blocked B: wait until connection B waits for a lock, as the server sees it.
    "await-blocked": lambda words, _: _Made(f"blocked {words[0]}"),
    # cancel B: ask to cancel what connection B runs, wait for the end of the request.
    "cancel": lambda words, _: _Made(f"cancel {words[0]}"),
    "X": lambda *_: _Made("terminate", frames.TERMINATE, waits=True),
    # drop: close the socket without a word.
    "drop": lambda *_: _Made("drop"),
}
