"""Sending the head of a run ahead, so that the rest can be answered here (W-76).

pgjdbc opens its transactions in the same run as the first question, names a statement in the run
that first executes it, and closes what it has done with in the run of the next question. All are
the origin's to do; with a Sync of pgcache's own behind them their outcome is known before the rest
is decided (W-60).
"""

from __future__ import annotations

from pgcache.proxy.decide import opens_transaction
from pgcache.proxy.forward import Forwarder
from pgcache.proxy.runs import OWN_SYNC, Message, Run
from pgcache.proxy.state import State
from pgcache.proxy.turns import is_plain_begin
from pgcache.sql.model import Script
from pgcache.wire import codes
from pgcache.wire.messages import Bind, Execute, Parse, Target


def may_go_ahead(state: State, run: Run) -> bool:
    """Whether a Sync in the middle of ``run`` would be noticed by nobody."""
    return run.kind == codes.SYNC and state.group is None and not state.local


def opening(state: State, run: Run) -> int:
    """How many messages at the head of ``run`` do nothing but close what the origin has, and open
    a transaction."""
    if not may_go_ahead(state, run):
        return 0
    closing = _closing(state, run.messages)
    return closing + (
        _beginning(state, run.messages[closing:]) if state.status == codes.IDLE else 0
    )


def _closing(state: State, messages: list[Message]) -> int:
    """Up to which of the Close messages at the head there is one that the origin has to hear."""
    count = 0
    for number, message in enumerate(messages, 1):
        target = message.parsed
        if message.kind != codes.CLOSE or not isinstance(target, Target):
            break
        if not _is_only_here(state, target):
            count = number
    return count


def _is_only_here(state: State, target: Target) -> bool:
    """Whether what is to be closed is known to pgcache alone."""
    if target.is_statement:
        prepared = state.statements.get(target.name)
        return prepared is not None and prepared.is_virtual
    portal = state.portals.get(target.name)
    # One that is not known may be a cursor of that name that SQL declared.
    return portal.entry is not None if portal is not None else not target.name


def _beginning(state: State, messages: list[Message]) -> int:
    """How many messages at the head do nothing but open a transaction."""
    script: Script | None = None
    count = 0
    name = b""
    first = messages[0].parsed
    if isinstance(first, Parse):
        script = state.engine.script(first.text, state.standard_strings, state.encoding)
        name, count = first.name, 1
    elif isinstance(first, Bind) and first.statement in state.statements:
        name, script = first.statement, state.statements[first.statement].script
    if script is None or not opens_transaction(script) or not is_plain_begin(*script.statements):
        return 0
    match [message.parsed for message in messages[count : count + 2]]:
        case [Bind(portal=b"", statement=bound), Execute(portal=b"")] if bound == name:
            return count + 2
    return 0


def send_ahead(state: State, forwarder: Forwarder, run: Run, count: int) -> None:
    """Send the first messages of ``run``, which is then the rest."""
    forwarder.extended(Run(*run.messages[:count], OWN_SYNC), {})
    run.ahead = state.groups[-1]
    del run.messages[:count]


def skips(run: Run) -> bool:
    """Whether the origin would have skipped ``run``, since what was sent ahead of it failed."""
    return run.ahead is not None and run.ahead.errored
