"""The oracle's own tests: a harness that cannot fail proves nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.oracle.compare import assert_marked, assert_same, poisoned, unpoisoned
from tests.oracle.player import Exchange, Transcript, await_read, strided
from tests.oracle.script import Script, ScriptError, Step, read_script
from tests.support import frames
from tests.support.frames import Frame

_STEP = Step(1, 'Q "select 1"', "A", "send", waits=True, expected="hit")
_SCRIPT = Script(Path("made-up.script"), "made up", (), frozenset(), 0, "", (_STEP,))
_ROW = Frame("D", frames.build_row([None, b"", b"abc"]))


def _transcript(*listed: Frame, note: str = "") -> Transcript:
    return Transcript([Exchange(_STEP, list(listed), note)])


def test_reads_every_kind_of_argument(tmp_path: Path) -> None:
    path = tmp_path / "x.script"
    path.write_text(
        "title: all of it\nrules: W-01 W-02\nsession:\n"
        '    P "s" "select $1 -- \\"x\\"" oids=[23, 25]\n'
        '    B> B "" "s" params=["a", null, {"int4": 1}, {"hex": "00ff"}] formats=[0, 1]\n'
        '    E "" max=3\n    S => hit\n    Q "x" +\n    wait Z => pass\n'
    )
    script = read_script(path)
    assert script.title == "all of it"
    assert script.rules == ("W-01", "W-02")
    parse, bind, execute, sync, query, wait = script.steps
    assert parse.payload == frames.parse("s", 'select $1 -- "x"', [23, 25])
    assert bind.connection == "B"
    assert bind.payload == frames.bind("", "s", [b"a", None, b"\0\0\0\1", b"\0\xff"], [0, 1])
    assert execute.payload == frames.execute("", 3)
    assert (sync.waits, sync.owes, sync.expected) == (True, 1, "hit")
    assert (query.waits, query.owes) == (False, 1)
    assert wait.action == "wait Z"


@pytest.mark.parametrize("line", ["nonsense", 'Q "x" + => hit', 'P "" "x" => hit', 'Q "x" => miss'])
def test_names_the_line_that_it_cannot_read(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.script"
    path.write_text(f"session:\n    {line}\n")
    with pytest.raises(ScriptError, match=r"x\.script:2"):
        read_script(path)


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_strides_cut_every_boundary_once(step: int) -> None:
    data = bytes(range(17))
    edges = []
    for offset in range(step):
        pieces = strided(step, offset)(data)
        assert b"".join(pieces) == data
        position = 0
        for piece in pieces[:-1]:
            position += len(piece)
            edges.append(position)
    assert sorted(edges) == list(range(1, 17))


def test_a_differing_byte_fails_with_a_diff() -> None:
    other = Frame("D", frames.build_row([None, b"", b"abd"]))
    with pytest.raises(AssertionError, match="abd"):
        assert_same(_SCRIPT, _transcript(_ROW), _transcript(other), "test")


def test_a_frame_too_many_fails() -> None:
    with pytest.raises(AssertionError):
        assert_same(_SCRIPT, _transcript(_ROW), _transcript(_ROW, _ROW), "test")


def test_secrets_may_differ_but_not_their_length() -> None:
    first, second = Frame("K", b"\0\0\0\1abcd"), Frame("K", b"\0\0\0\2dcba")
    assert_same(_SCRIPT, _transcript(first), _transcript(second), "test")
    with pytest.raises(AssertionError):
        assert_same(_SCRIPT, _transcript(first), _transcript(Frame("K", b"\0\0\0\1abcde")), "test")


def test_marks_are_wanted_where_the_script_says_hit() -> None:
    marked = poisoned(_ROW)
    assert frames.row_values(marked.body) == [None, b"", b"#bc"]
    assert unpoisoned(_ROW, marked) == _ROW
    assert_marked(_SCRIPT, _transcript(_ROW), _transcript(marked), "test")
    with pytest.raises(AssertionError, match="0 of 1 rows"):
        assert_marked(_SCRIPT, _transcript(_ROW), _transcript(_ROW), "test")


def test_a_mark_is_the_only_difference_allowed() -> None:
    other = Frame("D", frames.build_row([None, b"", b"#bd"]))
    with pytest.raises(AssertionError, match="#bd"):
        assert_marked(_SCRIPT, _transcript(_ROW), _transcript(other), "test")


def test_awaits_until_the_peer_has_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        peer, _ = server.accept()
        with client, peer:
            client.sendall(b"one")
            assert peer.recv(3) == b"one"
            await_read(client, patience=5)
            client.sendall(b"two")
            await_read(client, patience=0.01)  # not read: gives up
            assert peer.recv(3) == b"two"
