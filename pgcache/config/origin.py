"""Where the origin is and who the service role is: a libpq connection URL, understood.

The rules are those of PostgreSQL's documentation, "Connection URIs" and "Environment Variables":
percent-decoding everywhere, Unix socket directories as a percent-encoded host or as ``?host=``,
``PG…`` variables for what the URL leaves out, the password file for a missing password.
Knows nothing of sockets or TLS contexts: those who connect read the values off ``Origin``.
"""

from __future__ import annotations

import difflib
import getpass
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from pydantic import SecretStr

URL_HELP = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require"
DEFAULT_PORT = 5432
DEFAULT_CONNECT_TIMEOUT = 10.0


class SslMode(Enum):
    """libpq's ``sslmode``: how much TLS is asked of the origin."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin's address, how to encrypt, and the service role that reads its catalogs.

    ``connect_timeout`` is in seconds. ``password`` None: none was given anywhere, so the service
    role can log in only where the origin asks for none.
    """

    host: str
    port: int = DEFAULT_PORT
    user: str = ""
    password: SecretStr | None = None
    dbname: str = ""
    sslmode: SslMode = SslMode.PREFER
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT

    @property
    def is_unix(self) -> bool:
        """Whether ``host`` is the directory of a Unix socket (or an abstract one, ``@…``)."""
        return self.host.startswith(("/", "@"))

    @property
    def socket_path(self) -> str:
        """The Unix socket's file, as PostgreSQL names it."""
        return f"{self.host}/.s.PGSQL.{self.port}"

    @property
    def secret(self) -> str | None:
        """The password in the clear, for those who log in."""
        return None if self.password is None else self.password.get_secret_value()

    def __str__(self) -> str:
        """The address without user or password, for logs and errors."""
        if self.is_unix:
            return self.socket_path
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


# URL parameter -> environment variable that stands in for it.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}


def parse_origin(url: str, environ: Mapping[str, str] | None = None) -> Origin:
    """An ``Origin`` from a connection URL; what it leaves out comes from ``environ``.

    Raises ``ValueError`` with advice; a message never holds the password.
    """
    environ = environ if environ is not None else {}
    given = _split(url)
    for name, variable in _VARIABLES.items():
        if name not in given and environ.get(variable):
            given[name] = environ[variable]
    user = given.get("user") or _operating_system_user()
    host, port = _host(given), _port(given)
    dbname = given.get("dbname") or user
    password = given.get("password")
    if password is None:
        password = find_password(given.get("passfile"), environ, host, port, dbname, user)
    return Origin(
        host=host,
        port=port,
        user=user,
        password=None if password is None else SecretStr(password),
        dbname=dbname,
        sslmode=_sslmode(given.get("sslmode", "prefer")),
        sslrootcert=given.get("sslrootcert"),
        sslcert=given.get("sslcert"),
        sslkey=given.get("sslkey"),
        connect_timeout=_timeout(given.get("connect_timeout")),
    )


def _split(url: str) -> dict[str, str]:
    """The parts that a URL gives, percent-decoded; empty parts are left out, as libpq does."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise ValueError(f"is not a PostgreSQL connection URL; give {URL_HELP}")
    rest, _, query = rest.partition("?")
    authority, _, dbname = rest.partition("/")
    credentials, _, address = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    if "," in address:
        raise ValueError("names several hosts; pgcache takes one origin, so give one host")
    host, port = _split_address(address)
    parts = {"user": user, "password": password, "host": host, "port": port, "dbname": dbname}
    given = {name: unquote(part) for name, part in parts.items() if part}
    for name, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        given[_parameter(name)] = value
    return given


def _split_address(address: str) -> tuple[str, str]:
    """Host and port as written; IPv6 hosts stand in brackets."""
    if not address.startswith("["):
        host, _, port = address.partition(":")
        return host, port
    host, bracket, port = address[1:].partition("]")
    if not bracket or (port and not port.startswith(":")):
        raise ValueError("has an IPv6 address without its closing bracket; write [::1]:5432")
    return host, port[1:]


def _parameter(name: str) -> str:
    """The canonical name of a URL parameter, or advice."""
    if name in _VARIABLES:
        return name
    near = difflib.get_close_matches(name, _VARIABLES, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_VARIABLES)}"
    raise ValueError(f"has the unknown parameter {name!r}; {advice}")


def _host(given: Mapping[str, str]) -> str:
    host = given.get("host") or "localhost"
    if "," in host:
        raise ValueError("names several hosts; pgcache takes one origin, so give one host")
    return host


def _port(given: Mapping[str, str]) -> int:
    port = given.get("port") or str(DEFAULT_PORT)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"has the port {port!r}; give a number from 1 to 65535")
    return int(port)


def _sslmode(value: str) -> SslMode:
    try:
        return SslMode(value)
    except ValueError:
        allowed = ", ".join(mode.value for mode in SslMode)
        raise ValueError(f"has sslmode={value!r}; allowed are {allowed}") from None


def _timeout(value: str | None) -> float:
    """Seconds; libpq's 0 (wait without end) becomes the default, a proxy must not hang."""
    if not value:
        return DEFAULT_CONNECT_TIMEOUT
    if not value.isascii() or not value.isdigit():
        raise ValueError(f"has connect_timeout={value!r}; give a whole number of seconds")
    return float(value) or DEFAULT_CONNECT_TIMEOUT


def _operating_system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        raise ValueError(f"names no user; give {URL_HELP}") from None


def find_password(
    path: str | None, environ: Mapping[str, str], host: str, port: int, dbname: str, user: str
) -> str | None:
    """The password of the first matching line of the password file, if there is one."""
    home = environ.get("HOME")
    file = Path(path) if path else Path(home) / ".pgpass" if home else None
    if file is None or not _is_private(file):
        return None
    wanted = ("localhost" if host.startswith("/") else host, str(port), dbname, user)
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            fields = _passfile_fields(line.rstrip("\r\n"))
            if len(fields) == 5 and all(
                field in ("*", value) for field, value in zip(fields, wanted, strict=False)
            ):
                return fields[4]
    return None


def _is_private(file: Path) -> bool:
    """libpq ignores a password file that others can read; so do we."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and not mode & (stat.S_IRWXG | stat.S_IRWXO)


def _passfile_fields(line: str) -> list[str]:
    """The colon-separated fields of a password file's line; a backslash escapes."""
    if line.startswith("#"):
        return []
    fields = [""]
    characters = iter(line)
    for character in characters:
        if character == "\\":
            fields[-1] += next(characters, "")
        elif character == ":" and len(fields) < 5:
            fields.append("")
        else:
            fields[-1] += character
    return fields
