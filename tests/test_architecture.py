"""What keeps the code in its rooms: import contracts, sizes, a test file for each module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pgcache"
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40

# Longer than the limit, each for a reason that is worth it.
LONG_FUNCTIONS: dict[str, str] = {
    "wire/replies.py:feed": "HOT PATH: walks frames by offset, a call would cost more",
}

# Modules without a test file of their own (names or patterns): what tests them, and why there.
TESTED_ELSEWHERE: dict[str, tuple[str, str]] = {
    "__main__.py": ("cli/test_app.py", "starts it"),
    "admin/commands.py": ("admin/test_console.py", "over the wire"),
    "admin/warmer.py": ("operate/test_warm.py", "asks real servers; test_warmth has the rest"),
    "cli/warm.py": ("operate/test_warm.py", "runs the command"),
    "cache/shared/contract.py": ("cache/shared", "values and protocols without behaviour"),
    "cache/shared/link.py": ("shared", "whole proxies that share a store"),
    "cache/shared/lookup.py": ("shared", "whole proxies that share a store"),
    "cache/shared/lua.py": ("cache/shared", "part of every script"),
    "cache/shared/burial.py": ("shared", "whole proxies that share a store"),
    "cache/shared/membership.py": ("cache/shared", "what test_space.py makes is one"),
    "catalog/model.py": ("catalog", "values without behaviour"),
    "catalog/standing.py": ("catalog/test_service.py", "values without behaviour"),
    "cli/demo.py": ("demo/test_show.py", "runs the command"),
    "cli/findings.py": ("cli/test_checks.py", "values without behaviour"),
    "cli/options.py": ("cli/test_app.py", "through the commands"),
    "config/section.py": ("config/test_model.py", "the base of all that is tested there"),
    "cli/top.py": ("cli/test_stats.py", "the same figures, again and again"),
    "errors/__init__.py": ("errors", "values without behaviour"),
    "proxy/*.py": ("oracle", "whole conversations, compared with PostgreSQL's own"),
    "runtime.py": ("oracle", "every conversation runs in one"),
    "workers/slot.py": ("workers/test_supervisor.py", "real processes"),
    "workers/worker.py": ("workers/test_supervisor.py", "real processes"),
    "sql/*.py": ("sql", "the room is asked through its front door, read_script"),
}

_MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
_RULE = re.compile(r"\b([WSCTDB]-\d\d[a-z]?)\b")


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a module with its length, without its docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_rooms_import_only_what_they_may() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_modules_are_short() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in _MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {f"{_name(path)}:{name}": n for path in _MODULES for name, n in _functions(path)}
    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES}
    assert {name: n for name, n in too_long.items() if name not in LONG_FUNCTIONS} == {}
    assert [name for name in LONG_FUNCTIONS if name not in too_long] == [], "no longer needed"


def test_each_module_has_its_test_file() -> None:
    missing = []
    for path in _MODULES:
        test = Path("tests") / path.relative_to(PACKAGE).with_name(f"test_{path.name}")
        is_elsewhere = any(fnmatch(_name(path), pattern) for pattern in TESTED_ELSEWHERE)
        if path.name != "__init__.py" and not is_elsewhere and not (ROOT / test).exists():
            missing.append(test.as_posix())
    assert missing == []


def test_what_is_tested_elsewhere_is() -> None:
    for pattern, (where, _) in TESTED_ELSEWHERE.items():
        assert any(PACKAGE.glob(pattern)), pattern
        assert (ROOT / "tests" / where).exists(), where


def test_each_module_says_what_it_is() -> None:
    sources = {_name(path): path.read_text() for path in _MODULES}
    silent = [
        name
        for name, text in sources.items()
        if text.strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_every_rule_that_is_quoted_is_written_down() -> None:
    written = set(_RULE.findall((ROOT / "docs" / "semantics.md").read_text()))
    written |= {f"D-{number:02}" for number in range(1, 12)}  # written down as ranges
    files = [*_MODULES, *sorted((ROOT / "tests").rglob("*.py"))]
    quoted = {rule: file for file in files for rule in _RULE.findall(file.read_text())}
    unknown = {rule: str(file.relative_to(ROOT)) for rule, file in quoted.items()}
    assert {rule: file for rule, file in unknown.items() if rule not in written} == {}
