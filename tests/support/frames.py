"""The wire protocol as a test client speaks it, written apart from `pgcache.wire` on purpose.

An oracle that shared pgcache's own code would share its mistakes. Only what tests need is here:
message builders, a splitter of replies, SCRAM, and words for a transcript.
Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol".
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PROTOCOL_3_0 = 0x0003_0000
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)
CANCEL_CODE = 80877102


@dataclass(frozen=True, slots=True)
class Frame:
    """One message from the server; `kind` is empty for a bare byte before the startup."""

    kind: str
    body: bytes

    def __str__(self) -> str:
        return describe(self)

    def encode(self) -> bytes:
        """Return the message as it stood on the wire."""
        if not self.kind:
            return self.body
        return message(self.kind, self.body)


def message(kind: str, body: bytes = b"") -> bytes:
    """Frame a body under a type byte."""
    return kind.encode("latin-1") + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    """Encode a zero-terminated string."""
    return value.encode() + b"\0"


def startup(parameters: Mapping[str, str], version: int = PROTOCOL_3_0) -> bytes:
    """Build a startup packet."""
    body = b"".join(text(key) + text(value) for key, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, version) + body


def cancel(pid: int, secret: bytes) -> bytes:
    """Build a cancel request for the connection that owns the secret."""
    return struct.pack("!iii", 12 + len(secret), CANCEL_CODE, pid) + secret


def query(sql: str) -> bytes:
    """Build a simple Query."""
    return message("Q", text(sql))


def parse(name: str, sql: str, oids: Sequence[int] = ()) -> bytes:
    """Build Parse with the declared parameter types."""
    types = struct.pack(f"!H{len(oids)}I", len(oids), *oids)
    return message("P", text(name) + text(sql) + types)


def bind(
    portal: str,
    statement: str,
    parameters: Sequence[bytes | None] = (),
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    """Build Bind: parameter formats, parameters (`None` is NULL), result formats."""
    body = text(portal) + text(statement)
    body += struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += struct.pack("!H", len(parameters))
    for value in parameters:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    body += struct.pack(f"!H{len(results)}H", len(results), *results)
    return message("B", body)


def describe_request(what: str, name: str) -> bytes:
    """Build Describe of a statement (`S`) or a portal (`P`)."""
    return message("D", what.encode() + text(name))


def execute(portal: str, limit: int = 0) -> bytes:
    """Build Execute; a limit of 0 asks for all rows."""
    return message("E", text(portal) + struct.pack("!i", limit))


def close_request(what: str, name: str) -> bytes:
    """Build Close of a statement (`S`) or a portal (`P`)."""
    return message("C", what.encode() + text(name))


SYNC = message("S")
FLUSH = message("H")
TERMINATE = message("X")
COPY_DONE = message("c")


def function_call(oid: int, arguments: Sequence[bytes | None]) -> bytes:
    """Build FunctionCall with all arguments and the result in text."""
    body = struct.pack("!IHH", oid, 0, len(arguments))
    for value in arguments:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("F", body + struct.pack("!H", 0))


class Splitter:
    """Cuts a stream of server bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that are complete now."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= 5:
            (length,) = struct.unpack_from("!i", buffer, start + 1)
            end = start + 1 + length
            if length < 4:
                raise ValueError(f"the peer sent a message of length {length}: {bytes(buffer)!r}")
            if end > len(buffer):
                break
            frames.append(Frame(chr(buffer[start]), bytes(buffer[start + 5 : end])))
            start = end
        del buffer[:start]
        return frames

    @property
    def rest(self) -> bytes:
        """Return the bytes of a message that never got complete."""
        return bytes(self._buffer)


def strings(body: bytes) -> list[str]:
    """Split zero-terminated strings."""
    return [part.decode("utf-8", "replace") for part in body.split(b"\0")[:-1]]


def fields(body: bytes) -> dict[str, str]:
    """Read the fields of an ErrorResponse or a NoticeResponse by their letter."""
    parts = body.split(b"\0")
    return {chr(part[0]): part[1:].decode("utf-8", "replace") for part in parts if part}


def row_values(body: bytes) -> list[bytes | None]:
    """Read the values of a DataRow."""
    (count,) = struct.unpack_from("!H", body)
    values: list[bytes | None] = []
    position = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, position)
        position += 4
        values.append(None if length < 0 else body[position : position + length])
        position += max(length, 0)
    return values


def build_row(values: Iterable[bytes | None]) -> bytes:
    """Build the body of a DataRow."""
    listed = list(values)
    body = struct.pack("!H", len(listed))
    for value in listed:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return body


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a RowDescription."""

    name: str
    table: int
    attribute: int
    type: int
    size: int
    modifier: int
    format: int


def columns(body: bytes) -> list[Column]:
    """Read a RowDescription."""
    (count,) = struct.unpack_from("!H", body)
    found: list[Column] = []
    position = 2
    for _ in range(count):
        end = body.index(b"\0", position)
        name = body[position:end].decode("utf-8", "replace")
        found.append(Column(name, *struct.unpack_from("!IhIhih", body, end + 1)))
        position = end + 19
    return found


def describe(frame: Frame) -> str:
    """Say what a server frame is, in one line for a transcript."""
    kind, body = frame.kind, frame.body
    if not kind:
        return f"byte {body!r}"
    if kind == "T":
        named = ", ".join(
            f"{c.name} {c.table}.{c.attribute} type={c.type}/{c.size}/{c.modifier} fmt={c.format}"
            for c in columns(body)
        )
        return f"T RowDescription({named})"
    if kind == "D":
        return f"D DataRow{tuple(row_values(body))}"
    if kind in "EN":
        return f"{kind} {fields(body)}"
    if kind in "CS":
        return f"{kind} {strings(body)}"
    if kind == "Z":
        return f"Z ReadyForQuery({body.decode()})"
    names = {
        "1": "ParseComplete",
        "2": "BindComplete",
        "3": "CloseComplete",
        "n": "NoData",
        "s": "PortalSuspended",
        "I": "EmptyQueryResponse",
        "t": "ParameterDescription",
        "R": "Authentication",
        "K": "BackendKeyData",
        "A": "NotificationResponse",
        "v": "NegotiateProtocolVersion",
    }
    return f"{kind} {names.get(kind, '')} {body!r}".rstrip()


@functools.lru_cache(maxsize=64)
def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


class Scram:
    """The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding."""

    def __init__(self, password: str, nonce: str | None = None) -> None:
        self._password = password
        self._nonce = nonce or base64.b64encode(os.urandom(18)).decode()
        self._bare = f"n=,r={self._nonce}"

    def first(self) -> bytes:
        """Return the SASLInitialResponse."""
        data = f"n,,{self._bare}".encode()
        return message("p", text("SCRAM-SHA-256") + struct.pack("!i", len(data)) + data)

    def final(self, challenge: bytes) -> bytes:
        """Return the SASLResponse that answers the server's first message."""
        server = challenge.decode()
        given = dict(part.split("=", 1) for part in server.split(","))
        salted = _salted(self._password, base64.b64decode(given["s"]), int(given["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c=biws,r={given['r']}"
        signed = f"{self._bare},{server},{bare}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return message("p", f"{bare},p={base64.b64encode(proof).decode()}".encode())
