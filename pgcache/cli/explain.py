"""``pgcache explain SQL``: would it be cached, and why not. Nothing is executed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from pgcache.cli.options import configuration_options, read_configuration
from pgcache.config.values import format_duration

if TYPE_CHECKING:
    from pgcache.cli.explanation import Explanation


@click.command()
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("sql")
def explain(config_file: Path | None, upstream: str | None, sql: str, *, as_json: bool) -> None:
    """Tell whether SQL would be cached, under which key, and what it depends on.

    Names are resolved for a fresh session of the service role. SQL is not executed.
    """
    config = read_configuration(config_file, upstream=upstream)
    from pgcache.cli.explanation import explain_text  # imported late, as it brings the parser

    explanation = asyncio.run(explain_text(config, sql))
    if as_json:
        click.echo(json.dumps(explanation.as_object(), ensure_ascii=False))
    else:
        _show(explanation)


def _show(explanation: Explanation) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    verdict = explanation.verdict
    if explanation.is_cacheable:
        verdict += ": the first ask runs and is stored, the next is a hit"
    table.add_row("verdict", verdict)
    if explanation.reason is not None:
        about = f" ({explanation.detail})" if explanation.detail else ""
        table.add_row("reason", f"{explanation.reason}{about}: {explanation.sentence}")
        if explanation.remedy:
            table.add_row("remedy", explanation.remedy)
    if explanation.is_cacheable:
        bound = " (it depends on the time: clock_ttl counts)" if explanation.clock else ""
        table.add_row("ttl", format_duration(explanation.ttl or 0) + bound)
        table.add_row("key", explanation.key or "")
    table.add_row("relations", ", ".join(explanation.relations) or "none")
    table.add_row("tags", ", ".join(map(str, explanation.tags)) or "none")
    if explanation.rule:
        table.add_row("rule", explanation.rule)
    table.add_row("statement", explanation.statement)
    table.add_row("fingerprint", explanation.fingerprint)
    for problem in explanation.problems:
        table.add_row("hint", problem)
    Console().print(table, markup=False, highlight=False)
