"""The demo, start to end: server, data, proxy, dashboard cold and warm, then yours to try."""

from __future__ import annotations

import contextlib
import secrets
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pgcache.demo import data
from pgcache.demo.dashboard import TILES, Answer, Viewer
from pgcache.demo.postgres import SUPERUSER
from pgcache.demo.proxy import Proxy
from pgcache.demo.server import EmbeddedPostgres
from pgcache.errors import PgcacheError, StartError

_WRITE = (
    "UPDATE orders SET status = 'returned' "
    "WHERE id = (SELECT max(id) FROM orders WHERE status <> 'returned')"
)
_CHECK_SECONDS = 1.0  # how often the servers are looked after while waiting for Ctrl-C


def run_demo(console: Console, *, once: bool, scale: float) -> bool:
    """The whole demo; True if every warm tile was a hit with the rows of the cold one."""
    passwords = {data.ANALYST: secrets.token_hex(6), data.SERVICE: secrets.token_hex(12)}
    with _terminated_like_interrupted(), EmbeddedPostgres() as origin:
        console.print(f"PostgreSQL {origin.version} is up on 127.0.0.1:{origin.port}.")
        _fill(console, origin, passwords, data.Size.scaled(scale))
        upstream = origin.url(data.SERVICE, passwords[data.SERVICE], data.DATABASE)
        with Proxy(upstream, console_user=data.ANALYST) as proxy:
            console.print(f"pgcache is up on 127.0.0.1:{proxy.port}, in front of it.\n")
            url = proxy.url(data.ANALYST, passwords[data.ANALYST], data.DATABASE)
            is_good = _show_dashboard(console, url)
            if not once:
                with contextlib.suppress(KeyboardInterrupt):
                    _invite(console, url, origin)
                    _wait(origin, proxy)
    return is_good


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: with everything stopped and removed."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fill(
    console: Console, origin: EmbeddedPostgres, passwords: dict[str, str], size: data.Size
) -> None:
    superuser = (SUPERUSER, origin.password)
    data.create_database(origin.url(*superuser, "postgres"), passwords)
    columns = (
        TextColumn("loading {task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("customers", total=size.steps)

        def report(name: str) -> None:
            progress.update(task, advance=1, description=name)

        data.load(origin.url(*superuser, data.DATABASE), size, report)
        progress.update(task, description=f"{size.orders:,} orders")


def _show_dashboard(console: Console, url: str) -> bool:
    """Every tile twice through the proxy, on two connections, and what a write does."""
    with Viewer(url) as first, Viewer(url) as second:
        with console.status("Looking at the dashboard, cold …"):
            cold = [answer for _, answer in first.look()]
        warm = [answer for _, answer in second.look()]
        console.print(_table(cold, warm))
        is_good = all(
            after.is_hit and before.rows == after.rows
            for before, after in zip(cold, warm, strict=True)
        )
        console.print(
            "Every warm tile came from memory, with the same rows.\n"
            if is_good
            else "[bold red]Not every warm tile came from memory: see the verdicts.[/]\n"
        )
        return _show_write(console, first, second) and is_good


def _table(cold: list[Answer], warm: list[Answer]) -> Table:
    table = Table(title="The same dashboard, by two people")
    table.add_column("tile")
    for column in ("rows", "cold", "warm", "speed-up"):
        table.add_column(column, justify="right")
    table.add_column("verdicts")
    for tile, before, after in zip(TILES, cold, warm, strict=True):
        table.add_row(
            tile.title,
            str(len(before.rows)),
            _milliseconds(before.elapsed_ms),
            _milliseconds(after.elapsed_ms),
            f"{before.elapsed_ms / after.elapsed_ms:,.0f}x",
            f"{before.short} → {after.short}",
        )
    totals = [sum(answer.elapsed_ms for answer in answers) for answers in (cold, warm)]
    table.add_section()
    ratio = f"{totals[0] / totals[1]:,.0f}x"
    table.add_row("total", "", *map(_milliseconds, totals), ratio, "", style="bold")
    return table


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.2f} ms"


def _show_write(console: Console, writer: Viewer, reader: Viewer) -> bool:
    """A write on one connection; the next ask on the other must not be answered from before."""
    returns = TILES[-1]
    before = reader.ask(returns.sql)
    writer.ask(_WRITE)
    after = reader.ask(returns.sql)
    is_new = after.rows != before.rows
    shown = f"{after.short}, {_milliseconds(after.elapsed_ms)}"
    console.print(
        f"Then one of them returned an order ([cyan]{_WRITE.split(' WHERE')[0]} …[/]), and the "
        f"other asked again for “{returns.title}”: {shown}, "
        f"{'the new' if is_new else 'THE OLD'} result.\n"
    )
    return not after.is_hit and is_new


def _invite(console: Console, url: str, origin: EmbeddedPostgres) -> None:
    base = url.rpartition("/")[0]
    console.print("[bold]It is yours now.[/] Connect with any PostgreSQL client:\n")
    console.print(f"  {url}\n", highlight=False, soft_wrap=True)
    console.print("or with the terminal that came along:\n")
    console.print(f"  {origin.psql} {url}\n", highlight=False, soft_wrap=True)
    console.print(
        "and try\n\n"
        "  \\timing on\n"
        "  SET pgcache.notices = on;           -- every answer says how it came about\n"
        "  SELECT status, count(*) FROM orders GROUP BY status;      -- and once more\n"
        "  UPDATE orders SET status = 'paid' WHERE id = 1;           -- and ask again\n"
        "  SELECT random(), count(*) FROM customers;                 -- never cached, and why\n"
        "  SHOW pgcache.last;\n",
        highlight=False,
    )
    console.print("The operator's console is a database, too:\n")
    console.print(
        f"  {origin.psql} {base}/pgcache -c 'SHOW STATS'\n", highlight=False, soft_wrap=True
    )
    console.print("Ctrl-C stops everything and removes the data.")


def _wait(origin: EmbeddedPostgres, proxy: Proxy) -> None:
    """Until Ctrl-C, or until one of the servers is gone."""
    never = threading.Event()
    while not never.wait(_CHECK_SECONDS):
        if not origin.is_running:
            raise StartError("the demo's PostgreSQL has stopped")
        if not proxy.is_running:
            raise StartError(f"pgcache serve has stopped: {proxy.log_lines()[-1:]}")


def explain_failure(error: Exception) -> PgcacheError:
    """A driver's error as one of ours: one line, and what to do."""
    lines = str(error).strip().splitlines()
    return StartError(f"the demo failed: {lines[0] if lines else type(error).__name__}")
