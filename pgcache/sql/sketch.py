"""The sketch of a statement: where the walk stands, what it has found, what it has written.

The walk (``names.py``, ``clauses.py``, ``scan.py``) goes over the tokens once and notes functions
as they are written (a parser that translates between dialects renames them), types, operators, key
words that read the clock, and the tables behind FROM. It also writes the *skeleton*: the same
structure with every name quoted, every literal ``1``, every operator ``-``, every call ``"f"(…)``,
without casts. ``relations.py`` parses that, so that no text can be cut differently by PostgreSQL
and by another parser.

Where in doubt a name counts as a function: that costs a miss, a missed one costs correctness.
Must not know: scopes of names, the catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pgcache.errors.reasons import Reason, Refusal
from pgcache.sql.lexer import LITERALS, NAMES, Token, TokenKind
from pgcache.sql.model import TIME_CALLS, Cast, FunctionRef, Name, RelationRef
from pgcache.sql.operands import describe

__all__ = ["CALL", "LITERALS", "MAX_DEPTH", "NAMES", "Frame", "Sketch"]

MAX_DEPTH: Final = 100  # of parentheses; the parser behind us recurses
CALL: Final = '"f"'

_END: Final = Token(TokenKind.PUNCT, "", 0, 0)


class Frame:
    """An open parenthesis (or bracket, or CASE).

    ``opener``: what it belongs to. ``clause``: the clause being read, '' where there is no query.
    ``call``: the place of its function among those found, -1 for none.
    """

    __slots__ = ("call", "clause", "commas", "counting", "countless", "literal", "opener", "start")

    def __init__(self, opener: str, clause: str, start: int, call: int = -1) -> None:
        self.opener = opener
        self.clause = clause
        self.start = start
        self.call = call
        self.commas = 0
        self.counting = True
        self.countless = False
        self.literal: str | None = None


class Sketch:
    """One walk over one statement."""

    __slots__ = (
        "before",
        "casts",
        "clock",
        "dotted",
        "ended",
        "frames",
        "functions",
        "identity",
        "labels",
        "magic",
        "operators",
        "out",
        "position",
        "refusal",
        "relations",
        "tokens",
        "types",
        "zoned",
    )

    def __init__(self, tokens: Sequence[Token]) -> None:
        # where the walk stands
        self.tokens = tokens
        self.position = 0
        self.frames = [Frame("", "start", -1)]
        self.before = ""  # the key word just read
        self.ended = False  # whether what was read last can end an expression
        # what was found
        self.functions: list[FunctionRef] = []
        self.relations: list[RelationRef] = []
        self.types: list[Name] = []
        self.casts: list[Cast] = []
        self.labels: list[tuple[str, int]] = []  # with their places; -1 where none tells
        self.operators = {"=", "<>", "<", "<=", ">", ">="}  # IN, BETWEEN, ORDER BY … use them
        self.dotted: set[str] = set()
        self.clock = False
        self.zoned = False  # AT TIME ZONE
        self.magic = False
        self.identity = False
        self.refusal: Refusal | None = None
        # what was written
        self.out: list[str] = []

    @property
    def frame(self) -> Frame:
        """The innermost open parenthesis."""
        return self.frames[-1]

    @property
    def clause(self) -> str:
        """The clause being read."""
        return self.frames[-1].clause

    def at(self, ahead: int = 0) -> Token:
        """The token at the walk's position, or ``ahead`` of it; an empty one outside."""
        index = self.position + ahead
        return self.tokens[index] if 0 <= index < len(self.tokens) else _END

    def word(self, ahead: int = 0) -> str:
        """The unquoted word there, or ''."""
        token = self.at(ahead)
        return token.value if token.kind is TokenKind.WORD else ""

    def refuse(self, reason: Reason, detail: str = "") -> None:
        """Note why this is never cached; the first reason stays, but a lock must be known of."""
        if self.refusal is None or reason is Reason.ROW_LOCK:
            self.refusal = Refusal(reason, detail)

    def is_dubious(self) -> None:
        """Note that the text is not understood."""
        self.refuse(Reason.UNKNOWN_SYNTAX, self.at().value[:40])

    # -- writing -------------------------------------------------------------------------------

    def write(self, *pieces: str, ended: bool) -> None:
        """Write to the skeleton."""
        self.out.extend(pieces)
        self.ended = ended
        self.before = ""

    def write_constant(self) -> None:
        """Write a literal; one of a row of them is enough."""
        if self.out[-2:] == ["1", ","]:
            self.out.pop()
            self.ended = True
            self.before = ""
        else:
            self.write("1", ended=True)

    def write_name(self, parts: Sequence[str]) -> None:
        """Write a chain of names, quoted."""
        quoted = ['"' + part.replace('"', '""') + '"' for part in parts]
        self.out.append(" . ".join(quoted))
        self.ended = True
        self.before = ""

    def write_operator(self) -> None:
        """Write ``-`` between two operands; prefix operators change no structure."""
        if self.ended:
            self.write("-", ended=False)

    def skip(self, count: int = 1, *, ended: bool | None = None, before: str = "") -> None:
        """Go on without writing."""
        self.position += count
        self.before = before
        if ended is not None:
            self.ended = ended

    def keyword(self, written: str, *, ended: bool = False) -> None:
        """Take the word at the position as a key word and write ``written`` for it."""
        self.before = self.word()
        self.position += 1
        self.ended = ended
        if written:
            self.out.append(written)

    # -- parentheses ---------------------------------------------------------------------------

    def open(self, opener: str = "", clause: str = "", call: int = -1) -> None:
        """Take the parenthesis (or bracket, or CASE) at the position."""
        if len(self.frames) > MAX_DEPTH:
            self.refuse(Reason.UNKNOWN_SYNTAX, "nested too deeply")
        self.frames.append(Frame(opener, clause, self.position, call))
        self.write("(", ended=False)
        self.position += 1

    def open_call(self, name: Name, opener: str, *, countless: bool = False) -> None:
        """Take the parenthesis at the position as that of a call of ``name``."""
        self.functions.append(FunctionRef(name))
        self.out.append(CALL)
        self.open(opener, call=len(self.functions) - 1)
        self.frame.countless = countless

    def close(self) -> Frame:
        """Take the closing parenthesis at the position; return what it closed."""
        if len(self.frames) == 1:
            self.is_dubious()
            self.position += 1
            return self.frames[0]
        frame = self.frames.pop()
        if frame.call >= 0:
            self._finish_call(frame)
        if self.out[-1] == ",":
            self.out.pop()
        if self.out[-6:] == ["(", "1", ")", ",", "(", "1"]:
            del self.out[-4:]
        self.write(")", ended=True)
        self.position += 1
        return frame

    def _finish_call(self, frame: Frame) -> None:
        is_empty = frame.start == self.position - 1
        count = 0 if is_empty else frame.commas + 1
        is_ordered_set = self.word(1) == "within" and self.word(2) == "group"
        if frame.countless or is_ordered_set:
            count = -1
        name = self.functions[frame.call].name
        if name.name == "timezone":
            self.zoned = True
        elif name.name in TIME_CALLS and count in (-1, 1):
            operand = describe(name, self.tokens, frame.start + 1, self.position)
            self.casts.append(operand)
        self.functions[frame.call] = FunctionRef(name, count, frame.literal)
