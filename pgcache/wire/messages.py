"""Reading the client messages that a decision needs, and building what pgcache says itself.

Parsers take a whole message (type byte and length included) and raise ProtocolViolation where the
layout is wrong; callers then leave the answer to the origin. Source: PostgreSQL documentation,
"Message Formats".
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error, pack, unpack_from
from typing import Final, NamedTuple

from pgcache.errors import ProtocolViolation
from pgcache.wire.codes import (
    BIND,
    COMMAND_COMPLETE,
    DATA_ROW,
    ERROR_RESPONSE,
    NOTICE_RESPONSE,
    PARSE,
    ROW_DESCRIPTION,
)

_HEAD = Struct("!BI")
_INT16 = Struct("!H")
_INT32 = Struct("!i")
_STATEMENT = ord("S")


class Parse(NamedTuple):
    """Parse: a statement's name, its text, the declared parameter type OIDs."""

    name: bytes
    text: bytes
    types: tuple[int, ...]


class Bind(NamedTuple):
    """Bind. ``parameters`` holds raw values, None for NULL; ``result_formats`` as sent."""

    portal: bytes
    statement: bytes
    parameter_formats: tuple[int, ...]
    parameters: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


class Target(NamedTuple):
    """What Describe or Close is about: a statement, or else a portal."""

    is_statement: bool
    name: bytes


class Execute(NamedTuple):
    """Execute: ``maximum`` rows, 0 for all."""

    portal: bytes
    maximum: int


def parse_query(message: bytes) -> bytes:
    """The text of a Query message, without its terminator."""
    if message.find(0, 5) != len(message) - 1:
        raise ProtocolViolation("invalid string in message")
    return message[5:-1]


def parse_parse(message: bytes) -> Parse:
    """Read a Parse message."""
    try:
        name_end = message.index(0, 5)
        text_end = message.index(0, name_end + 1)
        (count,) = _INT16.unpack_from(message, text_end + 1)
        types = unpack_from(f"!{count}I", message, text_end + 3)
    except (ValueError, error) as exc:
        raise ProtocolViolation("invalid Parse message") from exc
    if text_end + 3 + 4 * count != len(message):
        raise ProtocolViolation("invalid Parse message")
    return Parse(message[5:name_end], message[name_end + 1 : text_end], types)


def parse_bind(message: bytes) -> Bind:
    """Read a Bind message."""
    try:
        portal_end = message.index(0, 5)
        statement_end = message.index(0, portal_end + 1)
        formats, pos = _read_int16s(message, statement_end + 1)
        (count,) = _INT16.unpack_from(message, pos)
        pos += 2
        parameters: list[bytes | None] = []
        for _ in range(count):
            (size,) = _INT32.unpack_from(message, pos)
            pos += 4
            if size == -1:
                parameters.append(None)
                continue
            if size < 0 or pos + size > len(message):
                raise ProtocolViolation("invalid Bind message")
            parameters.append(message[pos : pos + size])
            pos += size
        result_formats, pos = _read_int16s(message, pos)
    except (ValueError, error) as exc:
        raise ProtocolViolation("invalid Bind message") from exc
    if pos != len(message):
        raise ProtocolViolation("invalid Bind message")
    return Bind(
        message[5:portal_end],
        message[portal_end + 1 : statement_end],
        formats,
        tuple(parameters),
        result_formats,
    )


def _read_int16s(message: bytes, pos: int) -> tuple[tuple[int, ...], int]:
    (count,) = _INT16.unpack_from(message, pos)
    return unpack_from(f"!{count}H", message, pos + 2), pos + 2 + 2 * count


def parse_target(message: bytes) -> Target:
    """Read Describe or Close."""
    if len(message) < 7 or message[5] not in b"SP" or message.find(0, 6) != len(message) - 1:
        raise ProtocolViolation("invalid Describe or Close message")
    return Target(message[5] == _STATEMENT, message[6:-1])


def parse_execute(message: bytes) -> Execute:
    """Read Execute."""
    end = message.find(0, 5)
    if end < 0 or len(message) != end + 5:
        raise ProtocolViolation("invalid Execute message")
    (maximum,) = _INT32.unpack_from(message, end + 1)
    # The origin treats a negative maximum as "all" (PortalRun's FETCH_ALL).
    return Execute(message[5:end], max(maximum, 0))


def parse_parameter_status(message: bytes) -> tuple[str, str]:
    """Read ParameterStatus: ``(name, value)``."""
    parts = message[5:].split(b"\0")
    if len(parts) != 3 or parts[2]:
        raise ProtocolViolation("invalid ParameterStatus message")
    name, value, _ = parts
    return name.decode("utf-8", "replace"), value.decode("utf-8", "replace")


def parse_data_row(message: bytes) -> list[bytes | None]:
    """Read a DataRow's columns (only for replies to pgcache's own questions)."""
    columns: list[bytes | None] = []
    try:
        (count,) = _INT16.unpack_from(message, 5)
        pos = 7
        for _ in range(count):
            (size,) = _INT32.unpack_from(message, pos)
            pos += 4
            columns.append(None if size < 0 else message[pos : pos + size])
            pos += max(size, 0)
    except error as exc:
        raise ProtocolViolation("invalid DataRow message") from exc
    if pos != len(message):
        raise ProtocolViolation("invalid DataRow message")
    return columns


def column_count(description: bytes) -> int:
    """How many columns a RowDescription names."""
    (count,) = _INT16.unpack_from(description, 5)
    return int(count)


def build(kind: int, body: bytes) -> bytes:
    """One message of type ``kind``."""
    return _HEAD.pack(kind, len(body) + 4) + body


def build_query(text: str) -> bytes:
    """A Query message."""
    return build(ord("Q"), text.encode() + b"\0")


def build_parse(name: bytes, text: bytes, types: Sequence[int]) -> bytes:
    """A Parse message."""
    count = len(types)
    return build(PARSE, name + b"\0" + text + b"\0" + pack(f"!H{count}I", count, *types))


def build_bind(portal: bytes, statement: bytes, bind: Bind) -> bytes:
    """A Bind message with the formats and values of ``bind``, under other names."""
    parts = [portal, b"\0", statement, b"\0", _pack_int16s(bind.parameter_formats)]
    parts.append(pack("!H", len(bind.parameters)))
    for value in bind.parameters:
        parts += (b"\xff\xff\xff\xff",) if value is None else (pack("!I", len(value)), value)
    parts.append(_pack_int16s(bind.result_formats))
    return build(BIND, b"".join(parts))


def _pack_int16s(values: Sequence[int]) -> bytes:
    return pack(f"!{len(values) + 1}H", len(values), *values)


def build_target(kind: int, target: Target) -> bytes:
    """A Describe or Close message."""
    return build(kind, (b"S" if target.is_statement else b"P") + target.name + b"\0")


def build_execute(portal: bytes, maximum: int) -> bytes:
    """An Execute message."""
    return build(ord("E"), portal + b"\0" + _INT32.pack(maximum))


def build_command_complete(tag: str) -> bytes:
    """A CommandComplete message."""
    return build(COMMAND_COMPLETE, tag.encode() + b"\0")


def build_row_description(columns: Sequence[str], type_oid: int = 25) -> bytes:
    """A RowDescription of text columns (``type_oid`` 25 is text)."""
    body = _INT16.pack(len(columns)) + b"".join(
        name.encode() + b"\0" + Struct("!IHIhih").pack(0, 0, type_oid, -1, -1, 0)
        for name in columns
    )
    return build(ROW_DESCRIPTION, body)


def build_data_row(values: Sequence[str | None]) -> bytes:
    """A DataRow of text values."""
    body = bytearray(_INT16.pack(len(values)))
    for value in values:
        if value is None:
            body += _INT32.pack(-1)
        else:
            raw = value.encode()
            body += _INT32.pack(len(raw)) + raw
    return build(DATA_ROW, bytes(body))


def _fields(severity: str, code: str, message: str, detail: str, hint: str) -> bytes:
    fields = [("S", severity), ("V", severity), ("C", code), ("M", message)]
    if detail:
        fields.append(("D", detail))
    if hint:
        fields.append(("H", hint))
    return b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields) + b"\0"


def error_code(message: bytes) -> str:
    """The SQLSTATE of an ErrorResponse or NoticeResponse, '' where it has none."""
    for field in message[5:].split(b"\0"):
        if field[:1] == b"C":
            return field[1:].decode("ascii", "replace")
    return ""


def is_fatal(message: bytes) -> bool:
    """Whether an ErrorResponse is the last of its session; severity V is never translated."""
    return b"\0VFATAL\0" in message or b"\0VPANIC\0" in message


def build_error(
    code: str, message: str, *, detail: str = "", hint: str = "", severity: str = "ERROR"
) -> bytes:
    """An ErrorResponse of pgcache's own."""
    return build(ERROR_RESPONSE, _fields(severity, code, message, detail, hint))


def build_notice(
    message: str, *, code: str = "00000", detail: str = "", hint: str = "", severity: str = "NOTICE"
) -> bytes:
    """A NoticeResponse of pgcache's own."""
    return build(NOTICE_RESPONSE, _fields(severity, code, message, detail, hint))


# What follows a Bind of the unnamed portal to execute all of it; described first, or not.
EXECUTIONS: Final = {
    described: (build(ord("D"), b"P\0") if described else b"")
    + build_execute(b"", 0)
    + build(ord("S"), b"")
    for described in (False, True)
}
