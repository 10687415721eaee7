"""Case f of the shared store: how small results become, and what that takes."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from functools import partial

from benchmarks.arena import Result
from benchmarks.origin import STEADY, Origin
from benchmarks.raw import Wire
from benchmarks.sheets import Sheet, number
from benchmarks.storehits import Say
from pgcache.cache.shared.compress import Method, compress, expand
from pgcache.demo import data
from pgcache.demo.dashboard import TILES
from pgcache.wire.messages import build_query

_REPEAT = 5
_ROWS = {
    "10,000 orders": "SELECT * FROM orders ORDER BY id LIMIT 10000",
    "10,000 lines with product and customer": (
        "SELECT o.id, o.created_at, o.status, c.name AS customer, p.name AS product, i.quantity, "
        "i.unit_price FROM order_items AS i JOIN orders AS o ON o.id = i.order_id "
        "JOIN customers AS c ON c.id = o.customer_id JOIN products AS p ON p.id = i.product_id "
        "ORDER BY o.id LIMIT 10000"
    ),
}


def methods() -> list[Method]:
    """Those that can be used here."""
    found = [Method.ZSTD, Method.GZIP]
    return [*found, Method.LZ4] if importlib.util.find_spec("lz4") else found


def measure_compression(origin: Origin, say: Say) -> Result:
    """Whole replies, as they lie in an entry."""
    replies: dict[str, bytes] = {}
    say("compression")
    with Wire(origin.port, STEADY, data.DATABASE) as wire:
        tiles = b"".join(wire.ask(build_query(tile.sql)) for tile in TILES)
        replies[f"the dashboard's {len(TILES)} results together"] = tiles
        replies |= {title: wire.ask(build_query(sql)) for title, sql in _ROWS.items()}
    result, rows = Result(), []
    for title, reply in replies.items():
        for method in methods():
            packed = compress(method, reply)
            to_ms = _milliseconds(partial(compress, method, reply))
            back_ms = _milliseconds(partial(expand, method, packed, len(reply)))
            ratio = len(reply) / len(packed)
            sizes = (number(len(reply) / 1000), number(len(packed) / 1000), f"{ratio:.1f}x")
            rows.append((title, method.name.lower(), *sizes, number(to_ms), number(back_ms)))
            result.data[f"{title}/{method.name.lower()}"] = {
                "bytes": len(reply),
                "packed": len(packed),
                "compress_ms": to_ms,
                "expand_ms": back_ms,
            }
            if method is Method.ZSTD and title in _ROWS:
                least = result.figures.get("zstd, 10,000 rows", ratio)
                result.figure("zstd, 10,000 rows", min(least, ratio))
    columns = ("", "method", "kB", "compressed kB", "smaller", "compress ms", "expand ms")
    result.sheets.append(Sheet("f. Compression of results", columns, tuple(rows)))
    return result


def _milliseconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_REPEAT):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return min(taken)  # whatever else runs only adds to it
