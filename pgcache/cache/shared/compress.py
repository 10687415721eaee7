"""Compressing large values: which way, and back. The value's header says which way was taken.

zstd by default; gzip needs nothing beside Python; lz4 is the quickest and an optional dependency.
All of them let go of the interpreter lock, so that large values can be done in a thread. Must not
know: what the bytes mean.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Literal

import zstandard

Name = Literal["zstd", "gzip", "lz4", "none"]

_ZSTD_LEVEL: Final = 1
_GZIP_LEVEL: Final = 1
_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's way to say: with gzip's header


class Method(IntEnum):
    """How a value is compressed; the numbers are written and never change their meaning."""

    NONE = 0
    ZSTD = 1
    GZIP = 2
    LZ4 = 3


class Packing(Enum):
    """The same as counts call them."""

    NONE = "none"
    ZSTD = "zstd"
    GZIP = "gzip"
    LZ4 = "lz4"


@dataclass(slots=True)
class Tally:
    """What one value took to compress or expand: bytes without and with it, seconds."""

    packing: Packing = Packing.NONE
    plain: int = 0
    packed: int = 0
    seconds: float = 0.0

    def note(self, method: Method, plain: int, packed: int, seconds: float) -> None:
        """It is done."""
        self.packing = Packing[method.name]
        self.plain, self.packed, self.seconds = plain, packed, seconds


class CannotExpand(ValueError):
    """A value cannot be brought back: damaged, or longer than it says."""


def method_of(name: Name) -> Method:
    """The method with this name in the configuration. Raises ValueError where it is missing."""
    method = Method[{"gzip": "GZIP", "zstd": "ZSTD", "lz4": "LZ4", "none": "NONE"}[name]]
    if method is Method.LZ4 and importlib.util.find_spec("lz4") is None:
        raise ValueError("needs the package lz4: pip install 'pgcache[lz4]'")
    return method


def compress(method: Method, data: bytes) -> bytes:
    """``data``, shorter."""
    return _WAYS[method][0](data)


def expand(method: Method, data: bytes, size: int) -> bytes:
    """What ``compress`` made of ``size`` bytes. Raises CannotExpand, never makes more bytes."""
    try:
        found = _WAYS[method][1](data, size)
    except Exception as error:  # each library has its own; a damaged value is a miss
        raise CannotExpand(f"{method.name}: {error}") from error
    if len(found) != size:
        raise CannotExpand(f"{len(found)} bytes instead of {size}")
    return found


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


def _unzstd(data: bytes, size: int) -> bytes:
    if zstandard.get_frame_parameters(data).content_size != size:
        raise ValueError("its header gives another size")
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)


def _gzip(data: bytes) -> bytes:
    maker = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return maker.compress(data) + maker.flush()


def _ungzip(data: bytes, size: int) -> bytes:
    reader = zlib.decompressobj(_GZIP)
    found = reader.decompress(data, size + 1)
    if not reader.eof or reader.unused_data:
        raise ValueError("it ends elsewhere than it says")
    return found


def _lz4(data: bytes) -> bytes:
    import lz4.frame

    made: bytes = lz4.frame.compress(data, store_size=True)
    return made


def _unlz4(data: bytes, size: int) -> bytes:
    import lz4.frame

    reader = lz4.frame.LZ4FrameDecompressor()
    found: bytes = reader.decompress(data, max_length=size + 1)
    if not reader.eof or reader.unused_data:
        raise ValueError("it ends elsewhere than it says")
    return found


def _same(data: bytes, _size: int = 0) -> bytes:
    return data


_WAYS: Final[dict[Method, tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]]] = {
    Method.NONE: (_same, _same),
    Method.ZSTD: (_zstd, _unzstd),
    Method.GZIP: (_gzip, _ungzip),
    Method.LZ4: (_lz4, _unlz4),
}
