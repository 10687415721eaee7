"""A small PostgreSQL in this process: enough of it to hold conversations with, and no more.

It is written from the protocol's documentation and PostgreSQL's own behaviour, apart from
pgcache: what it answers directly is what pgcache has to answer. A statement is matched as a whole
by one of the patterns below; anything else is a syntax error.
"""

from __future__ import annotations

import copy
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.support.frames import build_row, message

Value = bytes | None
Row = tuple[Value, ...]

_DEFAULTS = {
    "timezone": "UTC",
    "search_path": '"$user", public',
    "default_transaction_isolation": "read committed",
    "session_authorization": "alice",
    "role": "none",
    "row_security": "on",
    "client_min_messages": "notice",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
}
_OFF = ("gin_fuzzy_search_limit",)
_BOOLEANS = ("zero_damaged_pages", "ignore_", "allow_system_table_mods", "transform_null_equals")


class SqlError(Exception):
    """What ends a statement, with its SQLSTATE."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class World:
    """The committed contents: rows by 'schema.table'."""

    tables: dict[str, list[bytes]] = field(
        default_factory=lambda: {
            "public.t": [b"one", b"two"],
            "public.u": [b"u"],
            "other.t": [b"elsewhere"],
        }
    )
    executed: list[str] = field(default_factory=list)  # every statement that ran, of all sessions


@dataclass
class Settings:
    """Values that a transaction may undo; ``local`` ends with it."""

    session: dict[str, str] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)


@dataclass
class Prepared:
    """A prepared statement: its text."""

    text: str


@dataclass
class Portal:
    """A portal: what is left of its rows, or a statement yet to be run."""

    text: str
    parameters: tuple[Value, ...]
    formats: tuple[int, ...]
    rows: list[Row] | None = None
    columns: tuple[str, ...] | None = None
    done: bool = False


@dataclass
class Result:
    """What a statement gave: rows for a SELECT, and its command tag."""

    tag: str
    columns: tuple[str, ...] | None = None
    rows: list[Row] = field(default_factory=list)
    copies: str = ""


Handler = Callable[["Backend", re.Match[str], tuple[Value, ...]], Result]
_PATTERNS: list[tuple[re.Pattern[str], Handler]] = []


def handles(pattern: str) -> Callable[[Handler], Handler]:
    """Register a statement's pattern."""

    def register(handler: Handler) -> Handler:
        _PATTERNS.append((re.compile(pattern + r"\Z", re.IGNORECASE | re.DOTALL), handler))
        return handler

    return register


class Backend:
    """One session of the small PostgreSQL: bytes in, bytes out."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = Settings()
        self.reported = {"timezone": "UTC"}
        self.statements: dict[str, Prepared] = {}
        self.portals: dict[str, Portal] = {}
        self.block = ""  # '', 'T' or 'E'
        self.writes: list[tuple[str, str, bytes]] = []
        self.savepoints: list[tuple[str, int, Settings]] = []
        self._saved: Settings | None = None  # as the transaction began
        self._skipping = False
        self._copying = ""  # the kind of message that copies in
        self._copied: str = ""
        self._buffer = b""
        self._pending = b""  # answers wait for Flush, Sync or an error

    def login(self) -> bytes:
        """What follows AuthenticationOk."""
        reports = {"server_version": "15.0", "is_superuser": "off", "in_hot_standby": "off"}
        reports |= {"client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC"}
        reports |= {"IntervalStyle": "postgres", "standard_conforming_strings": "on"}
        reports |= {"session_authorization": "alice", "server_encoding": "UTF8"}
        said = b"".join(_status(name, value) for name, value in reports.items())
        return said + message("K", struct.pack("!iI", 4711, 815)) + self._ready()

    def feed(self, data: bytes) -> bytes:
        """Take the client's bytes; return the answers."""
        self._buffer += data
        out = b""
        while len(self._buffer) >= 5:
            (length,) = struct.unpack_from("!I", self._buffer, 1)
            if len(self._buffer) < length + 1:
                break
            kind, body = chr(self._buffer[0]), self._buffer[5 : length + 1]
            self._buffer = self._buffer[length + 1 :]
            for said in self._message(kind, body):
                self._pending += said
                if said[:1] in b"ZEG":
                    out, self._pending = out + self._pending, b""
            if kind == "H":
                out, self._pending = out + self._pending, b""
        return out

    # -- messages

    def _message(self, kind: str, body: bytes) -> Iterator[bytes]:
        if self._copying:
            yield from self._copy(kind)
            return
        if kind == "S":
            self._skipping = False
            yield from self._end_group()
        elif self._skipping or kind in "dcfHX":
            return
        elif kind == "Q":
            self.statements.pop("", None)
            yield from self._query(body[:-1].decode())
        else:
            try:
                yield from getattr(self, f"_on_{kind}")(body)
            except SqlError as error:
                yield from self._fail(error)
                self._skipping = True

    def _query(self, text: str) -> Iterator[bytes]:
        text = re.sub(r"/\*.*?\*/", " ", text)
        statements = [" ".join(part.split()) for part in text.split(";") if part.strip()]
        self.portals.pop("", None)
        try:
            if not statements:
                yield message("I")
            for statement in statements:
                result = self._execute(statement, ())
                if result.copies:
                    self._copying, self._copied = "Q", result.copies
                    yield message("G", b"\0\0\0")
                    return
                if result.columns is not None:
                    yield _description(result.columns, ())
                yield from map(_row, result.rows)
                yield message("C", result.tag.encode() + b"\0")
        except SqlError as error:
            yield from self._fail(error)
        yield from self._end_group()

    def _copy(self, kind: str) -> Iterator[bytes]:
        if kind in "dSH":
            if kind == "d":
                self._write("insert", self._copied, b"copied")
            return
        owner, self._copying = self._copying, ""
        if kind == "f":
            yield from self._fail(SqlError("57014", "COPY failed"))
            self._skipping = owner != "Q"
        else:
            yield message("C", b"COPY 1\0")
        if owner == "Q":
            yield from self._end_group()

    def _on_P(self, body: bytes) -> Iterator[bytes]:
        name, text = (" ".join(part.decode().split()) for part in body.split(b"\0")[:2])
        text = " ".join(re.sub(r"/\*.*?\*/", " ", text).split())
        if not name:
            self.statements.pop("", None)
        self._check_block(text)
        if name and name in self.statements:
            raise SqlError("42P05", f'prepared statement "{name}" already exists')
        self._check_names(text)
        self.statements[name] = Prepared(text)
        yield message("1")

    def _on_B(self, body: bytes) -> Iterator[bytes]:
        name, _, rest = body.partition(b"\0")
        statement, _, rest = rest.partition(b"\0")
        (formats,) = struct.unpack_from("!H", rest)
        values, position = _values(rest, 2 + 2 * formats)
        (count,) = struct.unpack_from("!H", rest, position)
        results = struct.unpack_from(f"!{count}H", rest, position + 2)
        prepared = self._statement(statement.decode())
        # PostgreSQL counts the values before it looks at anything else (exec_bind_message).
        if len(values) != len(set(re.findall(r"\$\d", prepared.text))):
            raise SqlError("08P01", f"bind message supplies {len(values)} parameters")
        self._check_block(prepared.text)
        if name and name.decode() in self.portals:
            raise SqlError("42P03", f'cursor "{name.decode()}" already exists')
        self._check_names(prepared.text)
        if len(results) > 1 and _columns(prepared.text):
            raise SqlError("08P01", "bind message has too many result formats")
        portal = Portal(prepared.text, values, results)
        if prepared.text.lower().startswith("select"):
            result = self._execute(prepared.text, values)
            portal.rows, portal.columns = result.rows, result.columns
        self.portals[name.decode()] = portal
        yield message("2")

    def _on_D(self, body: bytes) -> Iterator[bytes]:
        name = body[1:-1].decode()
        if body[:1] == b"S":
            prepared = self._statement(name)
            count = len(set(re.findall(r"\$\d", prepared.text)))
            yield message("t", struct.pack(f"!H{count}I", count, *[25] * count))
            yield self._description(prepared.text, ())
        else:
            portal = self._portal(name)
            yield self._description(portal.text, portal.formats)

    def _on_E(self, body: bytes) -> Iterator[bytes]:
        portal = self._portal(body[:-5].decode())
        (limit,) = struct.unpack("!i", body[-4:])
        if not portal.text.strip():
            yield message("I")
            return
        if portal.rows is None:
            self._check_block(portal.text)
            if portal.done:
                raise SqlError("55000", "portal cannot be run anymore")
            result = self._execute(portal.text, portal.parameters)
            portal.done = True
            if result.copies:
                self._copying, self._copied = "E", result.copies
                yield message("G", b"\0\0\0")
                return
            yield from map(_row, result.rows)
            yield message("C", result.tag.encode() + b"\0")
            return
        self._check_block(portal.text)
        rows = portal.rows[:limit] if limit > 0 else portal.rows
        portal.rows = portal.rows[len(rows) :]
        yield from map(_row, rows)
        if 0 < limit == len(rows):
            yield message("s")
        else:
            yield message("C", b"SELECT %d\0" % len(rows))

    def _on_C(self, body: bytes) -> Iterator[bytes]:
        (self.statements if body[:1] == b"S" else self.portals).pop(body[1:-1].decode(), None)
        yield message("3")

    def _on_F(self, body: bytes) -> Iterator[bytes]:
        self._write("insert", "public.t", b"called")
        yield message("V", struct.pack("!i", -1))
        yield from self._end_group()

    def _statement(self, name: str) -> Prepared:
        if name not in self.statements:
            what = "unnamed prepared statement" if not name else f'prepared statement "{name}"'
            raise SqlError("26000", f"{what} does not exist")
        return self.statements[name]

    def _portal(self, name: str) -> Portal:
        if name not in self.portals:
            raise SqlError("34000", f'portal "{name}" does not exist')
        return self.portals[name]

    def _description(self, text: str, formats: tuple[int, ...]) -> bytes:
        columns = _columns(text)
        return _description(columns, formats) if columns else message("n")

    def _check_names(self, text: str) -> None:
        match = re.match(r"(?:select .* from|insert into) ([\w.]+)", text, re.IGNORECASE)
        if match and "pg_catalog" not in match.group(1):
            self.table(match.group(1))
        elif not any(pattern.match(text.strip()) for pattern, _ in _PATTERNS) and text.strip():
            raise SqlError("42601", "syntax error")

    # -- transactions

    def _check_block(self, text: str) -> None:
        if self.block == "E" and not re.match(r"\s*(rollback|commit|\Z)", text, re.IGNORECASE):
            raise SqlError("25P02", "current transaction is aborted")

    def _execute(self, text: str, parameters: tuple[Value, ...]) -> Result:
        self._check_block(text)
        for pattern, handler in _PATTERNS:
            match = pattern.match(text.strip())
            if match:
                self.world.executed.append(text)
                if self._saved is None:
                    self._saved = copy.deepcopy(self.settings)
                return handler(self, match, parameters)
        raise SqlError("42601", "syntax error")

    def _fail(self, error: SqlError) -> Iterator[bytes]:
        if self.block:
            self.block = "E"
        else:
            self.rollback()
        code = error.code.encode()
        yield message("E", b"SERROR\0VERROR\0C" + code + b"\0M" + str(error).encode() + b"\0\0")

    def _end_group(self) -> Iterator[bytes]:
        if not self.block:
            self.commit()
        now = self.value("timezone")
        if now != self.reported["timezone"]:
            self.reported["timezone"] = now
            yield _status("TimeZone", now)
        yield self._ready()

    def _ready(self) -> bytes:
        return message("Z", (self.block or "I").encode())

    def commit(self) -> None:
        """End the transaction, block or not, and keep its work."""
        for what, table, value in self.writes:
            _apply(self.world.tables, what, table, value)
        self.settings.local.clear()
        self._over()

    def rollback(self) -> None:
        """End the transaction and undo its work."""
        if self._saved is not None:
            self.settings = self._saved
        self._over()

    def _over(self) -> None:
        self.block = ""
        self.writes.clear()
        self.savepoints.clear()
        self.portals.clear()
        self._saved = None

    # -- what statements need

    def value(self, name: str) -> str:
        """A setting's value now."""
        name = name.lower()
        for layer in (self.settings.local, self.settings.session, _DEFAULTS):
            if name in layer:
                return layer[name]
        if name in _OFF:
            return "0"
        return "off" if name.startswith(_BOOLEANS) else ""

    def table(self, name: str) -> str:
        """The 'schema.table' that a name means."""
        path = [part.strip(' "') for part in self.value("search_path").split(",")]
        tables = self.tables()
        for schema in [""] if "." in name else path:
            full = f"{schema}.{name}".lstrip(".").lower()
            if full in tables:
                return full
        raise SqlError("42P01", f'relation "{name}" does not exist')

    def tables(self) -> dict[str, list[bytes]]:
        """What this session sees."""
        tables = dict(self.world.tables)
        for what, table, value in self.writes:
            if table in tables:
                tables[table] = list(tables[table])
            _apply(tables, what, table, value)
        return tables

    def rows(self, table: str) -> list[bytes]:
        """What this session sees in a table."""
        return self.tables()[table]

    def write(self, what: str, name: str, value: bytes) -> None:
        """Change a table, seen by others at commit."""
        self._write(what, self.table(name), value)

    def _write(self, what: str, table: str, value: bytes) -> None:
        self.writes.append((what, table, value))


def _apply(tables: dict[str, list[bytes]], what: str, table: str, value: bytes) -> None:
    if what == "create":
        tables[table] = []
    elif what == "drop":
        tables.pop(table, None)
    elif what == "insert":
        tables.setdefault(table, []).append(value)
    else:
        tables[table] = []


def _columns(text: str) -> tuple[str, ...]:
    """The columns that a statement's answer will have; none for most statements."""
    match = re.match(r"(?:select|show) ([\w.]+)", text, re.IGNORECASE)
    return (match.group(1).lower(),) if match else ()


def _row(row: Row) -> bytes:
    return message("D", build_row(row))


def _description(columns: Iterable[str], formats: tuple[int, ...]) -> bytes:
    names = list(columns)
    wanted = list(formats) * (len(names) if len(formats) == 1 else 1) or [0] * len(names)
    fields = (
        name.encode() + b"\0" + struct.pack("!IHIhih", 0, 0, 25, -1, -1, code)
        for name, code in zip(names, wanted, strict=True)
    )
    return message("T", struct.pack("!H", len(names)) + b"".join(fields))


def _status(name: str, value: str) -> bytes:
    return message("S", f"{name}\0{value}\0".encode())


def _values(data: bytes, position: int) -> tuple[tuple[Value, ...], int]:
    (count,) = struct.unpack_from("!H", data, position)
    position += 2
    values: list[Value] = []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", data, position)
        position += 4
        values.append(None if size < 0 else data[position : position + size])
        position += max(size, 0)
    return tuple(values), position


# -- statements


@handles(r"select (v|tz|tenant) from ([\w.]+)(?: where v = (\$1|'\w*'))?(?: order by 1)?")
def _select(backend: Backend, match: re.Match[str], parameters: tuple[Value, ...]) -> Result:
    column, name, condition = match.groups()
    rows = backend.rows(backend.table(name))
    if condition:
        wanted = parameters[0] if condition == "$1" else condition.strip("'").encode()
        rows = [value for value in rows if value == wanted]
    if column == "tz":
        rows = [value + b"@" + backend.value("timezone").encode() for value in rows]
    elif column == "tenant":
        rows = [value + b"/" + backend.value("app.tenant").encode() for value in rows]
    return Result(f"SELECT {len(rows)}", (column.lower(),), [(value,) for value in rows])


@handles(r"select n from generate_series\((\d+)\)")
def _series(_backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    count = int(match.group(1))
    rows: list[Row] = [(b"%d" % number,) for number in range(count)]
    return Result(f"SELECT {count}", ("n",), rows)


@handles(r"select set_config\('([\w.]+)', *'([^']*)', *(true|false)\)")
def _set_config(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    name, value, local = match.groups()
    _put(backend, name, value, local=local == "true")
    return Result("SELECT 1", ("set_config",), [(value.encode(),)])


@handles(r"select (now\(\)|1|write_something\(\)|pg_advisory_lock\(1\))")
def _call(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    if match.group(1).startswith("write"):
        backend.write("insert", "t", b"written")
    return Result("SELECT 1", (match.group(1).strip("()1"),), [(b"1",)])


@handles(r"select 1/0")
def _divide(_backend: Backend, _match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    raise SqlError("22012", "division by zero")


@handles(r"select ([^;]*pg_catalog\.current_setting\(.*)")
def _probe(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    names = re.findall(r"current_setting\('([^']+)', true\)", match.group(1))
    row: list[Value] = []
    for name in names:
        is_set = name in backend.settings.local or name in backend.settings.session
        row.append(backend.value(name).encode() if is_set else None)
    if "pg_my_temp_schema" in match.group(1):
        row.append(b"f")
    return Result("SELECT 1", tuple(f"c{number}" for number in range(len(row))), [tuple(row)])


@handles(r"select s\.name, s\.setting, s\.reset_val from pg_catalog\.pg_settings.*")
def _scan(backend: Backend, _match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    rows: list[Row] = [
        (name.encode(), backend.value(name).encode(), value.encode())
        for name, value in _DEFAULTS.items()
    ]
    return Result(f"SELECT {len(rows)}", ("name", "setting", "reset_val"), rows)


@handles(r"show ([\w.]+)")
def _show(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    name = match.group(1)
    return Result("SHOW", (name,), [(backend.value(name).encode(),)])


@handles(r"insert into ([\w.]+) values \((\$1|'\w*')\)(?: returning v)?")
def _insert(backend: Backend, match: re.Match[str], parameters: tuple[Value, ...]) -> Result:
    value = parameters[0] if match.group(2) == "$1" else match.group(2).strip("'").encode()
    backend.write("insert", match.group(1), value or b"")
    return Result("INSERT 0 1")


@handles(r"(delete from|truncate) ([\w.]+)")
def _delete(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    backend.write("delete", match.group(2), b"")
    return Result("DELETE 1" if match.group(1).lower() != "truncate" else "TRUNCATE TABLE")


@handles(r"(create|drop) table (\w+\.\w+)(?: \(v text\))?")
def _define(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    backend._write(match.group(1).lower(), match.group(2), b"")
    return Result(f"{match.group(1).upper()} TABLE")


@handles(r"copy ([\w.]+) from stdin")
def _copy_in(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    return Result("COPY", copies=backend.table(match.group(1)))


@handles(r"(?:begin|start transaction)((?: [\w ]+)?)")
def _begin(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    backend.block = backend.block or "T"
    if "repeatable" in match.group(1).lower():
        backend.settings.local["transaction_isolation"] = "repeatable read"
    return Result("BEGIN")


@handles(r"(commit|rollback)( and chain)?")
def _end(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    tag, chain = match.group(1).upper(), bool(match.group(2))
    if chain and not backend.block:
        raise SqlError("25P01", f"{tag} AND CHAIN can only be used in transaction blocks")
    if tag == "COMMIT" and backend.block != "E":
        backend.commit()
    else:
        tag = "ROLLBACK"
        backend.rollback()
    if chain:
        backend.block = "T"
        backend._saved = copy.deepcopy(backend.settings)
    return Result(tag)


@handles(r"savepoint (\w+)")
def _savepoint(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    _need_block(backend)
    saved = copy.deepcopy(backend.settings)
    backend.savepoints.append((match.group(1), len(backend.writes), saved))
    return Result("SAVEPOINT")


@handles(r"(rollback to|release) (\w+)")
def _back(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    _need_block(backend)
    name = match.group(2)
    depths = [i for i, (found, _, _) in enumerate(backend.savepoints) if found == name]
    if not depths:
        raise SqlError("3B001", f'savepoint "{name}" does not exist')
    depth = depths[-1]
    if match.group(1).lower() == "release":
        if backend.block == "E":
            raise SqlError("25P02", "current transaction is aborted")
        del backend.savepoints[depth:]
        return Result("RELEASE")
    _, size, saved = backend.savepoints[depth]
    del backend.writes[size:], backend.savepoints[depth + 1 :]
    backend.settings = copy.deepcopy(saved)
    backend.block = "T"
    return Result("ROLLBACK")


def _need_block(backend: Backend) -> None:
    if not backend.block:
        raise SqlError("25P01", "can only be used in transaction blocks")


@handles(r"set (local |session )?([\w.]+) *(?:=|to) *'?([^']*?)'?")
def _set(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    scope, name, value = match.groups()
    _put(backend, name, value, local=(scope or "").strip().lower() == "local")
    return Result("SET")


def _put(backend: Backend, name: str, value: str, *, local: bool) -> None:
    name = name.lower()
    if local:
        backend.settings.local[name] = value
    else:
        backend.settings.local.pop(name, None)
        backend.settings.session[name] = value


@handles(r"reset (\w+)")
def _reset(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    name = match.group(1).lower()
    if name == "all":
        for custom in backend.settings.session:
            backend.settings.session[custom] = _DEFAULTS.get(custom, "")
        backend.settings.local.clear()
    else:
        _put(backend, name, _DEFAULTS.get(name, ""), local=False)
    return Result("RESET")


@handles(r"discard all")
def _discard(backend: Backend, match: re.Match[str], parameters: tuple[Value, ...]) -> Result:
    if backend.block:
        raise SqlError("25001", "DISCARD ALL cannot run inside a transaction block")
    _reset(backend, re.match(r"(all)", "all") or match, parameters)
    backend._saved = copy.deepcopy(backend.settings)
    backend.statements.clear()
    backend.portals.clear()
    return Result("DISCARD ALL")


@handles(r"deallocate (\w+)")
def _deallocate(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    if match.group(1) not in backend.statements:
        raise SqlError("26000", f'prepared statement "{match.group(1)}" does not exist')
    del backend.statements[match.group(1)]
    return Result("DEALLOCATE")


@handles(r"fetch (\d+) from (\w+)")
def _fetch(backend: Backend, match: re.Match[str], _parameters: tuple[Value, ...]) -> Result:
    portal = backend.portals.get(match.group(2))
    if portal is None or portal.rows is None:
        raise SqlError("34000", f'cursor "{match.group(2)}" does not exist')
    rows = portal.rows[: int(match.group(1))]
    portal.rows = portal.rows[len(rows) :]
    return Result(f"FETCH {len(rows)}", portal.columns, rows)
