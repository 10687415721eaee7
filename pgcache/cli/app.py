"""The command ``pgcache``: its subcommands, and the one door where errors become exit codes.

Exit codes: 0 done, 1 failed, 2 usage or configuration. Scripts depend on them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from pgcache import __version__
from pgcache.cli.check import check
from pgcache.cli.demo import demo
from pgcache.cli.explain import explain
from pgcache.cli.invalidate import invalidate
from pgcache.cli.serve import serve
from pgcache.cli.stats import stats
from pgcache.cli.top import top
from pgcache.cli.warm import warm
from pgcache.errors import ConfigError, PgcacheError

DONE, FAILED, USAGE = 0, 1, 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="pgcache %(version)s")
def cli() -> None:
    """A transparent PostgreSQL wire-protocol caching proxy for BI tools.

    Start with: pgcache serve --upstream postgresql://USER:PASSWORD@HOST:5432/DATABASE
    """


for _command in (serve, demo, check, explain, invalidate, warm, stats, top):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    try:
        code = cli.main(args=arguments, prog_name="pgcache", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return _fail(error.format_message(), _usage_hint(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return FAILED
    except PgcacheError as error:
        return _fail(error.message, error.hint, USAGE if isinstance(error, ConfigError) else FAILED)
    except BrokenPipeError:  # the reader of our output has gone, as in `pgcache explain … | head`
        sys.stderr.close()
        return FAILED
    return code if isinstance(code, int) else DONE


def _usage_hint(error: click.ClickException) -> str | None:
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return None
    return f"see {error.ctx.command_path} --help"


def _fail(message: str, hint: str | None, code: int) -> int:
    """What happened and what to do about it, on one line."""
    advice = f" ({hint})" if hint else ""
    click.echo(f"pgcache: {message.rstrip('.')}{advice}", err=True)
    return code
