"""The document of a run, and what is said about the machine. Measures nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from benchmarks.arena import PROGRAMS, TITLES
from benchmarks.machine import Moment
from benchmarks.peers import find
from benchmarks.sheets import Sheet

_HOW = """\
Made by `make bench`. Everything runs on one machine, over the loopback interface; the load
generator shares its cores with the servers. Targets take turns in short rounds: a figure is the
median over the rounds, a ratio the median of the rounds' ratios. Compare figures of one run
with each other and with nothing else. PgBouncer is in session mode; Pgpool-II has its memory query
cache on, and every query is a hit; logins are part of no figure but those of case h."""


def document(
    results: Mapping[str, Any], sheets: Iterable[Sheet], pictures: Iterable[str] = ()
) -> str:
    """All tables of a run in Markdown; ``pictures``: names of files beside it."""
    about = ", ".join(f"{name} {value}" for name, value in results["about"].items())
    lines = ["# Benchmarks", "", _HOW, "", f"The machine: {about}."]
    for name, moment in results["moments"].items():
        load = " ".join(f"{value:.2f}" for value in moment["load"])
        busy = f"; others used {moment['others_per_cent']:.0f} % of a core"
        lines.append(f"{name.capitalize()} the run: load average {load}{busy}.")
    if any(moment["busy"] for moment in results["moments"].values()):
        lines.append("**The machine was busy with other things: the figures are low and uneven.**")
    lines += [f"{name} is left out: {why}." for name, why in results["missing"].items()]
    lines += [f"Case {letter} failed: {why}" for letter, why in results["failures"].items()]
    if results["quick"]:
        lines.append("This was a quick run (`--quick`): fewer rounds, smaller sizes.")
    shown = [f"![{name.partition('.')[0]}]({name})\n" for name in pictures]
    return "\n".join([*lines, "", *(sheet.as_markdown() for sheet in sheets), *shown])


def moment_as_json(moment: Moment) -> dict[str, object]:
    """For the file of results."""
    return {**asdict(moment), "busy": moment.is_busy}


def plain(value: Any) -> Any:
    """The same for JSON, which knows neither NaN nor infinity: both become null."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def peer_versions() -> dict[str, str]:
    """The versions of the peers that are installed, by their titles."""
    return {
        TITLES[name]: parse_version(path_text)
        for name, program in PROGRAMS.items()
        if (path_text := _ask_version(program))
    }


def _ask_version(program: str) -> str:
    path = find(program)
    if path is None:
        return ""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def parse_version(told: str) -> str:
    """The version number in what a program says of itself."""
    found = re.search(r"\d+\.\d+(\.\d+)*", told)
    return found[0] if found else "?"
