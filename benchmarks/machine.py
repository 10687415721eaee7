"""The machine under the figures: what it is, and whether somebody else is using it."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_BUSY_PER_CENT = 10.0  # of one core, used by others while nothing of ours runs


@dataclass(frozen=True, slots=True)
class Moment:
    """How busy the machine is while the benchmark itself does nothing."""

    load: tuple[float, float, float]
    others_per_cent: float  # of one core: 200 is two cores

    @property
    def is_busy(self) -> bool:
        """Whether figures taken now are worth little."""
        return self.others_per_cent > _BUSY_PER_CENT

    def __str__(self) -> str:
        load = " ".join(f"{value:.2f}" for value in self.load)
        return f"load average {load}; others use {self.others_per_cent:.0f} % of a core"


def look(seconds: float = 1.0) -> Moment:
    """Watch for a moment, doing nothing."""
    used = psutil.cpu_percent(interval=seconds) * (psutil.cpu_count() or 1)
    return Moment(os.getloadavg(), used)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, to the nanosecond where the kernel tells it."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except (OSError, IndexError):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system


def tree_seconds(pid: int) -> float:
    """The same of a process with its children, those that have ended included."""
    process = psutil.Process(pid)
    ended = process.cpu_times()
    used = cpu_seconds(pid) + ended.children_user + ended.children_system
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += cpu_seconds(child.pid)
    return used


def raise_file_limit() -> int:
    """Let this process and its children open as many files as they may; how many that is."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def describe() -> dict[str, str | int]:
    """What figures from elsewhere have to be compared with."""
    return {
        "cores": psutil.cpu_count() or 0,
        "processor": _processor(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
