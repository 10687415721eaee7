"""Texts of the configuration to values: durations, sizes, addresses.

Counterpart: ``model.py`` names the options that hold these values. Knows nothing of files,
environment variables or sockets: text in, value or ``ValueError`` (a sentence of advice) out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator

_NUMBER_WITH_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*\Z")

# PostgreSQL's own time units: "m" is left out there too, because it could mean minutes or months.
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

# PostgreSQL's memory units: powers of 1024, case matters, nothing longer.
_BYTES = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}

DURATION_HELP = "a number of seconds, or text such as '250ms', '300s', '5min', '1h' or '1d'"
SIZE_HELP = "a number of bytes, or text such as '64kB', '256MB' or '2GB' (powers of 1024)"
ADDRESS_HELP = "HOST:PORT, such as '127.0.0.1:6432', '[::1]:6432' or '*:6432' for all interfaces"


def parse_duration(value: Any) -> float:
    """Seconds from a number of seconds, or from text with one of PostgreSQL's time units."""
    seconds = _scaled(value, _SECONDS, 1.0)
    if seconds is None:
        raise ValueError(f"is not a duration; give {DURATION_HELP}")
    return seconds


def parse_size(value: Any) -> int:
    """Bytes from a whole number, or from text with one of PostgreSQL's memory units."""
    size = _scaled(value, _BYTES, 1)
    if size is None or not size.is_integer():
        raise ValueError(f"is not a size; give {SIZE_HELP}")
    return int(size)


def _scaled(value: Any, units: dict[str, Any], default: float) -> float | None:
    """The number times its unit; None where it is no finite number of zero or more."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        number, scale = float(value), default
    else:
        match = _NUMBER_WITH_UNIT.match(value) if isinstance(value, str) else None
        if match is None or (match[2] and match[2] not in units):
            return None
        number, scale = float(match[1]), units[match[2]] if match[2] else default
    result = number * scale
    return result if math.isfinite(result) and result >= 0 else None


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host (``''`` means all interfaces) and a TCP port (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"


def parse_address(value: Any) -> Address:
    """An ``Address`` from ``HOST:PORT``."""
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError(f"is not an address; give {ADDRESS_HELP}")
    host, colon, port = value.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"is not an address; give {ADDRESS_HELP}")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"is not an address; give {ADDRESS_HELP}")
    return Address("" if host == "*" else host, int(port))


def format_duration(seconds: float) -> str:
    """The shortest exact text of a duration, for people: ``300s``, ``250ms``."""
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    return f"{seconds:g}s" if seconds < 1e6 else f"{seconds:.0f}s"


def format_size(size: int) -> str:
    """The shortest exact text of a size, for people: ``256MB``."""
    for unit in ("TB", "GB", "MB", "kB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"must be more than zero; give {DURATION_HELP}")
    return value


_shown_duration = PlainSerializer(format_duration, return_type=str)
_shown_size = PlainSerializer(format_size, return_type=str)

Duration = Annotated[float, BeforeValidator(parse_duration), _shown_duration]
PositiveDuration = Annotated[
    float, BeforeValidator(parse_duration), AfterValidator(_positive), _shown_duration
]
Size = Annotated[int, BeforeValidator(parse_size), _shown_size]
ListenAddress = Annotated[
    Address, PlainValidator(parse_address), PlainSerializer(str, return_type=str)
]
