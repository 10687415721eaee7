"""What can be said of a run of the extended protocol before it is decided.

Whether it is worth waiting for the origin's earlier answers, or has to wait for them. Counterpart:
``session`` asks, ``local`` then tries to answer the run.
"""

from __future__ import annotations

from pgcache.proxy.cursors import read_step
from pgcache.proxy.decide import might_hit
from pgcache.proxy.naming import CURSORS, wants_alone
from pgcache.proxy.own import own_entry
from pgcache.proxy.runs import BOUNDARIES, Run
from pgcache.proxy.state import State
from pgcache.sql.model import Script
from pgcache.wire import codes
from pgcache.wire.messages import Bind, Execute, Parse, Target

_LONGEST_QUESTION = len("PBDES")


def might_serve(state: State, run: Run, opening: int) -> bool:
    """Whether ``run`` could have its answers here, by the look of it, but for its ``opening``.

    If so, earlier answers of the origin are worth waiting for; if not, it goes on at once.
    """
    parsed: dict[bytes, Script] = {}
    bound: set[bytes] = set()
    worth = False
    for message in run.messages[opening:]:
        body = message.parsed
        if isinstance(body, Parse):
            script = state.engine.script(body.text, state.standard_strings, state.encoding)
            if not _may_hit(state, script):
                return False
            parsed[body.name] = script
            worth = worth or not might_hit(script)
        elif isinstance(body, Bind):
            known = parsed.get(body.statement)
            if known is None:
                prepared = state.statements.get(body.statement)
                if prepared is None or not _may_hit(state, prepared.script):
                    return False
            bound.add(body.portal)
            worth = True
        elif isinstance(body, Execute):
            if body.portal not in bound:
                portal = state.portals.get(body.portal)
                if portal is None or portal.entry is None:
                    return False
                worth = True
        elif isinstance(body, Target):
            worth = worth or _is_virtual(state, body, parsed)
        elif message.kind == codes.SYNC:
            worth = worth or (state.local and state.group is None)
        elif message.kind != codes.FLUSH:
            return False
    return worth


def is_unsettled(state: State, run: Run) -> bool:
    """Whether what ``run`` names may only exist here, or no more, by what the origin still answers.

    Made real before that answer, it would outlive what ended it (W-58).
    """
    ledger = state.ledger
    if not ledger.owed or ledger.skipping or ledger.copy_in or state.unflushed:
        return False
    made: set[tuple[bool, bytes]] = set()  # by the run itself
    for message in run.messages:
        body = message.parsed
        if isinstance(body, Parse):
            made.add((True, body.name))
        elif isinstance(body, Bind):
            if not body.statement and (True, b"") not in made:
                return True
            if body.portal and _is_only_here(state, body.portal):
                return True
            made.add((False, body.portal))
        elif isinstance(body, Execute):
            if (False, body.portal) not in made and _is_only_here(state, body.portal):
                return True
        elif isinstance(body, Target) and (body.is_statement, body.name) not in made:
            doubtful = not body.name if body.is_statement else _is_only_here(state, body.name)
            if doubtful:
                return True
    return False


def fetches_ahead(state: State, script: Script) -> bool:
    """Whether ``script`` names cursors, or may be refused because of them, while answers are due.

    Those that are only here need a transaction that is known not to have failed, to be made real
    (W-73).
    """
    if not state.ledger.owed or not state.portals:
        return False
    if not any(s.kind in CURSORS or wants_alone(s) for s in script.statements):
        return False
    return any(_is_only_here(state, name) for name in state.portals if name)


def _is_only_here(state: State, name: bytes) -> bool:
    portal = state.portals.get(name)
    return portal is not None and portal.entry is not None


def may_play(state: State) -> bool:
    """Whether what is only here may be played on, once the origin owes nothing.

    Not where the origin skips it. What the transaction has done meanwhile does not matter: a
    portal's rows are of when it was bound.
    """
    group, ledger = state.group, state.ledger
    if ledger.skipping or ledger.copy_in or state.is_ended:
        return False
    return group is None or not group.errored


def part(state: State, run: Run) -> tuple[bool, int]:
    """Whether ``run`` begins with the use of portals that are only here; and how many messages at
    its head do nothing else, or nothing of the kind (W-59)."""
    changed: set[bytes] = set()  # portals that the run has bound or closed by itself
    begins: bool | None = None
    for index, message in enumerate(run.messages):
        body = message.parsed
        plays = False
        if isinstance(body, Bind):
            changed.add(body.portal)
        elif isinstance(body, Execute):
            plays = body.portal not in changed and _is_only_here(state, body.portal)
        elif isinstance(body, Target) and not body.is_statement:
            plays = body.name not in changed and _is_only_here(state, body.name)
            if message.kind == codes.CLOSE:
                changed.add(body.name)
        elif message.kind in BOUNDARIES:
            continue  # it ends whatever was before it
        if begins is None:
            begins = plays
        elif plays is not begins:
            return begins, index
    return bool(begins), len(run.messages)


def executes_only(state: State, run: Run) -> bool:
    """Whether ``run`` is just one execution of a statement that the origin has as well."""
    bind = run.messages[0].parsed
    if not isinstance(bind, Bind) or len(run.messages) > _LONGEST_QUESTION:
        return False
    prepared = state.statements.get(bind.statement)
    return prepared is not None and not prepared.is_virtual


def executed(state: State, run: Run) -> list[Script]:
    """The texts that ``run`` binds and executes, in order, as far as they are known."""
    parsed: dict[bytes, Script] = {}
    bound: dict[bytes, Script] = {}
    found: list[Script] = []
    for message in run.messages:
        body = message.parsed
        if isinstance(body, Parse):
            parsed[body.name] = state.engine.script(
                body.text, state.standard_strings, state.encoding
            )
        elif isinstance(body, Bind):
            script = parsed.get(body.statement)
            prepared = state.statements.get(body.statement) if script is None else None
            script = prepared.script if prepared is not None else script
            if script is not None:
                bound[body.portal] = script
        elif isinstance(body, Execute) and body.portal in bound:
            found.append(bound[body.portal])
    return found


def script_of(state: State, run: Run) -> Script | None:
    """The text that ``run`` executes first, where it is known before."""
    bind = run.messages[0].parsed
    prepared = state.statements.get(bind.statement) if isinstance(bind, Bind) else None
    return None if prepared is None else prepared.script


def prepares(state: State, run: Run) -> bool:
    """Whether ``run`` prepares a statement whose executions could be hits."""
    for message in run.messages:
        body = message.parsed
        if isinstance(body, Parse):
            script = state.engine.script(body.text, state.standard_strings, state.encoding)
            if might_hit(script):
                return True
    return False


def _may_hit(state: State, script: Script) -> bool:
    return (
        might_hit(script)
        or own_entry(state, script) is not None
        or (bool(state.portals) and read_step(state, script) is not None)
    )


def _is_virtual(state: State, target: Target, parsed: dict[bytes, Script]) -> bool:
    """Whether only this side knows a statement or portal."""
    if target.is_statement:
        script = parsed.get(target.name)
        if script is not None:
            return own_entry(state, script) is not None
        prepared = state.statements.get(target.name)
        return prepared is not None and prepared.is_virtual
    portal = state.portals.get(target.name)
    return portal is not None and portal.entry is not None


def limits(run: Run) -> dict[int, int]:
    """The row limit of each Bind's only Execute in the run; 0 (all rows) for any other Bind."""
    found: dict[int, int] = {}
    binds: dict[bytes, int] = {}
    for index, message in enumerate(run.messages):
        parsed = message.parsed
        if message.kind == codes.BIND and isinstance(parsed, Bind):
            binds[parsed.portal] = index
        elif isinstance(parsed, Execute):
            bind = binds.get(parsed.portal)
            if bind is not None:
                found[bind] = 0 if bind in found else parsed.maximum
    return found


def described(run: Run) -> set[int]:
    """The Binds of the run whose portals it has described."""
    found: set[int] = set()
    binds: dict[bytes, int] = {}
    for index, message in enumerate(run.messages):
        parsed = message.parsed
        if message.kind == codes.BIND and isinstance(parsed, Bind):
            binds[parsed.portal] = index
        elif (
            message.kind == codes.DESCRIBE
            and isinstance(parsed, Target)
            and not parsed.is_statement
            and parsed.name in binds
        ):
            found.add(binds[parsed.name])
    return found
