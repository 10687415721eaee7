from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pgcache import __version__
from tests.cli.conftest import RunCommand

COMMANDS = ("serve", "demo", "check", "explain", "invalidate", "warm", "stats", "top")


def test_version(run: RunCommand) -> None:
    assert run("--version") == (0, f"pgcache {__version__}\n", "")


def test_help_names_every_command(run: RunCommand) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for command in COMMANDS:
        assert f"  {command} " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, run: RunCommand) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: pgcache {command}")


def test_no_command_is_a_usage_error_with_help(run: RunCommand) -> None:
    code, out, err = run()
    assert code == 2
    assert "Commands:" in out + err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["srve"], "No such command 'srve'"),
        (["serve", "--upsteam", "x"], "No such option '--upsteam'"),
        (["serve", "--workers", "0"], "Invalid value for '--workers'"),
        (["demo", "--scale", "-1"], "Invalid value for '--scale'"),
        (["explain"], "Missing argument 'SQL'"),
        (["serve"], "no origin given"),
        (["check"], "no origin given"),
        (["explain", "select 1"], "no origin given"),
        (["serve", "--upstream", "mysql://h"], "--upstream: is not a PostgreSQL connection URL"),
        (["serve", "--upstream", "postgresql://u@h", "--store", "http://h"], "--store"),
        (["serve", "--upstream", "postgresql://u@h", "--listen", "h"], "--listen"),
        (["serve", "--upstream", "postgresql://u@h", "--admin", "h"], "--admin"),
        (["serve", "--upstream", "postgresql://u@h", "--workers", "2"], "2 workers need a store"),
        (["check", "--config", "/none"], "cannot read /none"),
    ],
)
def test_mistakes_are_one_line_of_advice_and_exit_code_2(
    arguments: list[str], said: str, run: RunCommand
) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("pgcache: ")
    assert said in err
    assert err.count("\n") == 1
    assert err.endswith(")\n"), "what to do about it comes last"


def test_a_mistake_in_the_file(run: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "pgcache.toml"
    file.write_text("[upstream]\nurl = 'postgresql://u@h'\n[cache]\ntll = 1\n")
    code, _, err = run("serve", "--config", str(file))
    assert code == 2
    assert err == (f"pgcache: {file}: [cache] has the unknown key 'tll' (did you mean 'ttl'?)\n")


def test_it_is_also_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pgcache", "srve"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("pgcache: No such command 'srve'")
