"""The page at ``/``: what pgcache saves, what it does not cache and why, and a few buttons.

One document, made on the server from the console's own tables: it needs no script, no build and
nothing from elsewhere. A script of twenty lines refreshes the figures. Buttons want the token.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from urllib.parse import quote

from pgcache import __version__
from pgcache.admin.charts import Point, line_chart, round_up
from pgcache.admin.commands import CommandError, Commands
from pgcache.admin.site import Access, Handler, Refused, Request, Response, Site
from pgcache.admin.together import Together
from pgcache.admin.words import format_seconds
from pgcache.metrics.history import History

_SHOWN = 20
_KINDS = ("TABLE", "TAG", "EVENT", "QUERY", "MATCHING", "ALL")
_FOOT = (
    f"<footer>pgcache {escape(__version__)} · figures since its start, charts of the last hour · "
    '<a href="/metrics">/metrics</a></footer>'
)
_FIELD = (
    '<label>token<input type="password" name="token" autocomplete="current-password" '
    "required></label>"
)
_WRONG_TOKEN = 401
_MOST = 300  # characters of a query's text, and of a note

Row = Mapping[str, str]


def _static(name: str) -> str:
    return files("pgcache.admin").joinpath("static", name).read_text("utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


class Page:
    """The page and what its buttons do."""

    def __init__(self, commands: Commands, together: Together, history: History) -> None:
        self._commands = commands
        self._together = together
        self._history = history
        self._style, self._script = _static("page.css"), _static("page.js")
        self._policy = (
            f"default-src 'none'; style-src {_hash(self._style)}; "
            f"script-src {_hash(self._script)}; connect-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )

    def add_to(self, site: Site) -> None:
        """Serve it."""
        site.add("GET", "/", self.show, Access.READ)
        buttons: dict[str, Handler] = {
            "/do/invalidate": self._invalidate,
            "/do/pause": self._pause,
            "/do/resume": self._resume,
        }
        for path, press in buttons.items():
            site.add("POST", path, press, Access.WRITE)
            site.dress(path, self._show_refused)

    async def show(self, request: Request) -> Response:
        """The whole document."""
        return await self._show(200, _note(request.query.get("done", "")))

    async def _show_refused(self, refused: Response) -> Response:
        """The document, and why a button did nothing."""
        why = refused.body.decode().strip()
        if refused.status == _WRONG_TOKEN:
            why = "the token is wrong. It is admin.token of the configuration"
        note = _note(f"Nothing was done: {why}.", is_token_wrong=refused.status == _WRONG_TOKEN)
        return await self._show(refused.status, note)

    async def _show(self, status: int, note: str) -> Response:
        stats = {row["name"]: row["value"] for row in await self._table("STATS")}
        body = "".join(
            [
                _head(stats, self._style),
                "<main>",
                note,
                '<div id="figures">',
                _tiles(stats, self._history),
                _charts(self._history),
                _queries(await self._table("QUERIES")),
                _tables(await self._table("TABLES")),
                _reasons(await self._table("REASONS")),
                _sources(await self._table("SOURCES")),
                "</div>",
                _actions(stats),
                "</main>",
                _FOOT,
                f"<script>{self._script}</script></body></html>",
            ]
        )
        headers = {"Content-Security-Policy": self._policy}
        return Response(status, body.encode(), "text/html; charset=utf-8", headers)

    async def _table(self, name: str) -> list[Row]:
        answer = await self._together.run(f"SHOW {name}")
        assert answer is not None
        return [
            {column: value or "" for column, value in zip(answer.columns, row, strict=True)}
            for row in answer.rows
        ]

    # -- buttons

    async def _invalidate(self, request: Request) -> Response:
        kind, name = request.form.get("kind", ""), request.form.get("name", "").strip()
        try:
            applied = self._commands.invalidate(kind, "" if kind == "ALL" else name)
        except CommandError as error:
            raise Refused(400, f"{error.message}. {error.hint or ''}") from None
        return _back(f"Invalidated {kind.lower()} {name}: {await applied.whole_count()}.")

    def _pause(self, _request: Request) -> Response:
        self._commands.run("PAUSE")
        return _back("Paused: nothing is served from the cache or stored.")

    def _resume(self, _request: Request) -> Response:
        self._commands.run("RESUME")
        return _back("Resumed.")


def _back(done: str) -> Response:
    """To the page again, by a GET that can be repeated."""
    return Response(303, b"", headers={"Location": f"/?done={quote(done[:_MOST])}"})


def _head(stats: Row, style: str) -> str:
    is_paused = stats.get("paused") == "true"
    state = '<b class="warn">paused</b>' if is_paused else '<b class="good">running</b>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>pgcache</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<noscript><meta http-equiv="refresh" content="15"></noscript>'
        f"<style>{style}</style></head><body><header><h1>pgcache</h1>"
        f'<span id="state">{state} · {escape(stats["clients"])} clients</span></header>'
    )


def _note(text: str, *, is_token_wrong: bool | None = None) -> str:
    """A line at the top; ``is_token_wrong`` None: what it tells of was done."""
    if not text:
        return ""
    kind, role = ("note", "status") if is_token_wrong is None else ("note refused", "alert")
    mark = ' data-token="wrong"' if is_token_wrong else ""
    return f'<p class="{kind}" role="{role}"{mark}>{escape(text[:_MOST])}</p>'


def _tiles(stats: Row, history: History) -> str:
    hour = history.whole()
    ratio = None if hour is None else hour.ratio
    tiles = [
        ("hit ratio, last hour", "–" if ratio is None else f"{ratio:.1%}"),
        ("hit ratio", f"{float(stats['hit_ratio']):.1%}"),
        ("PostgreSQL time saved", format_seconds(float(stats["saved_seconds"]))),
        ("hits", _count(stats["hits"])),
        ("shared executions", _count(stats["followers"])),
        ("misses", _count(stats["misses"])),
        ("not cacheable", _count(stats["bypass"])),
        (
            f"of {_size(stats['max_bytes'])} in {_count(stats['entries'])} entries",
            _size(stats["entry_bytes"]),
        ),
    ]
    judged = int(stats["shadow_hits"]) + int(stats["shadow_misses"])
    if judged:
        tiles += [
            (f"shadow hit ratio, of {judged:,}", f"{float(stats['shadow_hit_ratio']):.1%}"),
            (
                "PostgreSQL time it would have saved",
                format_seconds(float(stats["shadow_saved_seconds"])),
            ),
        ]
    parts = [
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in tiles
    ]
    return f'<div class="tiles">{"".join(parts)}</div>'


def _charts(history: History) -> str:
    spans = list(history.spans())
    now = spans[-1].at if spans else 0.0
    ratios: list[Point] = [
        (now - span.at, None if span.ratio is None else span.ratio * 100) for span in spans
    ]
    highest = round_up(max((span.saved_rate for span in spans), default=0.0))
    factor, unit = (1, " s") if highest >= 1 else (1000, " ms")  # labels are short
    saved: list[Point] = [(now - span.at, span.saved_rate * factor) for span in spans]
    top = highest * factor
    left = line_chart("Hit ratio over the last hour", ratios, top=100.0, unit="%")
    right = line_chart("PostgreSQL time saved each second", saved, top=top, unit=unit)
    return (
        f'<div class="pair"><section><h2>Hit ratio</h2>{left}</section>'
        f"<section><h2>PostgreSQL time saved each second</h2>{right}</section></div>"
    )


def _queries(rows: list[Row]) -> str:
    body = [
        f'<tr><td class="query"><code>{escape(row["query"][:_MOST])}</code></td>'
        f"<td>{_verdict(row['last'])}</td>"
        + _numbers(_count(row["calls"]), _share(row["hits"], row["calls"]))
        + _numbers(_milliseconds(row["saved_ms"]), _milliseconds(row["origin_ms"]))
        + f"<td>{escape(row['relations'])}</td></tr>"
        for row in rows[:_SHOWN]
    ]
    heads = ("query", "last", "#calls", "#hits", "#saved", "#PostgreSQL", "reads")
    return _section("Hottest queries", heads, body, "No query has been seen yet.")


def _tables(rows: list[Row]) -> str:
    body = [
        f'<tr><td>{escape(row["table"])} <span class="dim">{escape(row["database"])}</span></td>'
        + _numbers(_seconds(row["ttl_s"]), _seconds(row["age_bound_s"]))
        + f"<td>{escape(row['sources'])}</td>"
        + _numbers(_count(row["entries"]), _size(row["bytes"]), _count(row["invalidations"]))
        + f"<td>{'locked' if row['locked'] == 'true' else ''} {escape(row['tags'])}</td></tr>"
        for row in rows[: _SHOWN * 5]
    ]
    heads = ("table", "#lifetime", "#oldest", "changes from", "#entries", "#size", "#moved", "tags")
    return _section("Tables", heads, body, "Nothing is stored yet.")


def _reasons(rows: list[Row]) -> str:
    body = [
        f'<tr>{_numbers(_count(row["count"]))}<td class="words">{escape(row["explanation"])} '
        f'<span class="dim">{escape(row["reason"])}</span></td>'
        f'<td class="words">{escape(row["remedy"])}</td></tr>'
        for row in rows
    ]
    heads = ("#times", "why", "what to do about it")
    return _section("Not served from the cache, because", heads, body, "Everything was looked up.")


def _sources(rows: list[Row]) -> str:
    tones = {"up": "good", "loading": "warn", "down": "bad"}
    body = [
        f"<tr><td>{escape(row['source'])}</td><td>{escape(row['database'] or 'all')}</td>"
        f'<td class="{tones.get(row["state"], "")}">{escape(row["state"])}</td>'
        + _numbers(_count(row["changes"]), _seconds(row["lag_s"]))
        + f"<td>{escape(row['detail'])}</td></tr>"
        for row in rows
    ]
    heads = ("source", "database", "state", "#changes", "#lag", "")
    return _section("How changes are heard of", heads, body, "")


def _actions(stats: Row) -> str:
    kinds = "".join(f"<option>{kind}</option>" for kind in _KINDS)
    do, words = ("resume", "Resume") if stats.get("paused") == "true" else ("pause", "Pause")
    return (
        "<section><h2>Actions</h2>"
        f'<form method="post" action="/do/invalidate">{_FIELD}'
        f'<label>invalidate<select name="kind">{kinds}</select></label>'
        '<label>name, key or pattern<input name="name" placeholder="public.orders"></label>'
        "<button>Invalidate</button></form>"
        f'<form id="pause" method="post" action="/do/{do}">{_FIELD}<button>{words}</button></form>'
        '<p class="dim">The token is admin.token of the configuration; without one there are no '
        "actions here.</p></section>"
    )


def _section(title: str, heads: Iterable[str], body: list[str], nothing: str) -> str:
    if not body:
        return f'<section><h2>{title}</h2><p class="dim">{nothing}</p></section>'
    cells = "".join(
        f'<th class="number">{head[1:]}</th>' if head.startswith("#") else f"<th>{head}</th>"
        for head in heads
    )
    return (
        f'<section><h2>{title}</h2><div class="scroll"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></section>"
    )


def _numbers(*values: str) -> str:
    return "".join(f'<td class="number">{escape(value)}</td>' for value in values)


def _verdict(last: str) -> str:
    tone = "good" if last == "hit" else "dim" if last == "miss" else "warn"
    return f'<span class="{tone}">{escape(last)}</span>'


def _count(value: str) -> str:
    return f"{int(float(value)):,}" if value else "–"


def _share(part: str, whole: str) -> str:
    return f"{int(part) / int(whole):.0%}" if int(whole) else "–"


def _size(value: str) -> str:
    size = float(value or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _seconds(value: str) -> str:
    return format_seconds(float(value)) if value else "–"


def _milliseconds(value: str) -> str:
    return format_seconds(float(value) / 1000)
