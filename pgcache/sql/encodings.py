"""From a client's bytes to text and back: PostgreSQL's encodings as Python knows them.

Counterpart: section 24.3 of PostgreSQL's documentation. Must not know: SQL.

Decoding never fails. UTF-8 that is none keeps its bytes as lone surrogates, so that different
bytes stay different text; every other encoding falls back to Latin-1, byte for byte.
"""

from __future__ import annotations

from typing import Final

__all__ = ["decode", "encode", "is_exact"]

_LATIN_1: Final = "latin-1"
_UTF_8: Final = "utf-8"
_CODECS: Final = {
    "utf8": _UTF_8,
    "unicode": _UTF_8,
    "sqlascii": _UTF_8,  # bytes as they are; names are UTF-8 more often than not
    "latin1": _LATIN_1,
    "latin2": "iso8859-2",
    "latin3": "iso8859-3",
    "latin4": "iso8859-4",
    "latin5": "iso8859-9",
    "latin6": "iso8859-10",
    "latin7": "iso8859-13",
    "latin8": "iso8859-14",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "iso88591": _LATIN_1,
    "iso88595": "iso8859-5",
    "iso88596": "iso8859-6",
    "iso88597": "iso8859-7",
    "iso88598": "iso8859-8",
    "koi8": "koi8-r",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "win866": "cp866",
    "win874": "cp874",
    **{f"win{page}": f"cp{page}" for page in range(1250, 1259)},
    "euccn": "gb2312",
    "eucjp": "euc_jp",
    "eucjis2004": "euc_jis_2004",
    "euckr": "euc_kr",
    "sjis": "cp932",
    "shiftjis2004": "shift_jis_2004",
    "big5": "cp950",
    "gbk": "gbk",
    "gb18030": "gb18030",
    "uhc": "cp949",
    "johab": "johab",
}


def _codec(encoding: str) -> str:
    plain = "".join(filter(str.isalnum, encoding.lower()))
    return _CODECS.get(plain, _LATIN_1)


def decode(text: bytes, encoding: str) -> tuple[str, str]:
    """Decode; returns the text and the codec that ``encode`` needs to make the bytes again."""
    codec = _codec(encoding)
    if codec == _UTF_8:
        return text.decode(_UTF_8, "surrogateescape"), _UTF_8
    try:
        return text.decode(codec), codec
    except UnicodeDecodeError:
        return text.decode(_LATIN_1), _LATIN_1


def encode(text: str, codec: str) -> bytes:
    """Encode with the codec that ``decode`` named."""
    if codec == _UTF_8:
        return text.encode(_UTF_8, "surrogateescape")
    return text.encode(codec, "replace")


def is_exact(text: str, codec: str, raw: bytes) -> bool:
    """Tell whether encoding makes the same bytes: some encodings have two for one character."""
    return codec in (_UTF_8, _LATIN_1) or encode(text, codec) == raw
