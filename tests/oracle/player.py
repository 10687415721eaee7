"""Plays a script against an address and writes down every byte that came back.

The address is PostgreSQL's own or pgcache's: the player does not know which.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.oracle.script import Script, Step
from tests.support import frames
from tests.support.frames import Frame
from tests.support.postgres import password_of

Cutter = Callable[[bytes], list[bytes]]
TIMEOUT = 15.0
"""Seconds after which a reply that does not come is a failure (never reached when all is well)."""


def whole(data: bytes) -> list[bytes]:
    """Send a write as it is."""
    return [data]


def strided(step: int, offset: int) -> Cutter:
    """Cut at every byte whose position is `offset` modulo `step`."""

    def cut(data: bytes) -> list[bytes]:
        edges = [0, *range(offset or step, len(data), step), len(data)]
        return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]

    return cut


@dataclass(slots=True)
class Exchange:
    """What one waiting line sent and what came back until its wait was over."""

    step: Step
    frames: list[Frame] = field(default_factory=list)
    note: str = ""


@dataclass(slots=True)
class Transcript:
    """A whole play: its exchanges in script order, and the pid of each connection."""

    exchanges: list[Exchange] = field(default_factory=list)
    pids: dict[int, str] = field(default_factory=dict)


class Stuck(AssertionError):
    """A reply did not come in time."""


class Peer:
    """One connection of a play."""

    def __init__(self, name: str, address: tuple[str, int], cutter: Cutter) -> None:
        self.name = name
        self.socket = socket.create_connection(address, timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = bytearray()
        self.owed = 0
        self.closed = False
        self.pid = 0
        self.secret = b""
        self._cutter = cutter
        self._splitter = frames.Splitter()
        self._arrived: list[Frame] = []

    def send(self, data: bytes = b"") -> None:
        """Write what has gathered, in the pieces that the cutter makes."""
        data = bytes(self.pending) + data
        self.pending.clear()
        if not data:
            return
        pieces = self._cutter(data)
        try:
            for piece in pieces[:-1]:
                self.socket.sendall(piece)
                await_read(self.socket)
            self.socket.sendall(pieces[-1])
        except (BrokenPipeError, ConnectionResetError):
            pass  # The end of the connection shows when reading.

    def receive(self, until: Callable[[Frame], bool] | None, into: list[Frame]) -> None:
        """Read frames until one satisfies the condition, or to the end of the connection."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            while self._arrived:
                frame = self._arrived.pop(0)
                into.append(frame)
                if until is not None and until(frame):
                    return
            if self.closed:
                return
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            except TimeoutError:
                raise Stuck(f"connection {self.name}: no reply in {TIMEOUT} s") from None
            if not data:
                self.closed = True
                if self._splitter.rest:
                    into.append(Frame("", self._splitter.rest))
            self._arrived += self._splitter.feed(data)

    def receive_byte(self, into: list[Frame]) -> None:
        """Read one bare byte, the answer to a request for encryption."""
        data = self.socket.recv(1)
        into.append(Frame("", data))
        self.closed = not data

    def is_quiet(self) -> bool:
        """Tell whether nothing arrives for a moment."""
        self.socket.settimeout(0.03)
        try:
            data = self.socket.recv(1 << 20)
        except TimeoutError:
            return not self._arrived
        self._arrived += self._splitter.feed(data)
        return False

    def login(
        self, parameters: Mapping[str, str], version: int, into: list[Frame], until: str = "Z"
    ) -> None:
        """Start up and log in by SCRAM with the test password of the user."""
        scram = frames.Scram(password_of(parameters.get("user", "")))
        self.send(frames.startup(parameters, version))
        while not self.closed:
            self.receive(lambda frame: frame.kind in ("R", "K", "E") or frame.kind == until, into)
            last = into[-1] if into else Frame("E", b"")
            if last.kind == "R":
                (code,) = struct.unpack_from("!i", last.body)
                if code == 10:
                    self.send(scram.first())
                elif code == 11:
                    self.send(scram.final(last.body[4:]))
            elif last.kind == "K":
                (self.pid,) = struct.unpack_from("!i", last.body)
                self.secret = last.body[4:]
            elif last.kind == "E":
                self.receive(None, into)
                return
            elif last.kind == until:
                return

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class Player:
    """Plays scripts on one database behind one address."""

    def __init__(
        self,
        address: tuple[str, int],
        database: str,
        *,
        cutter: Cutter = whole,
        options: str = "",
    ) -> None:
        self._address = address
        self._database = database
        self._cutter = cutter
        self._options = options

    def play(self, script: Script) -> Transcript:
        """Play all steps and return the transcript; raises `Stuck` with it when one hangs."""
        transcript = Transcript()
        peers: dict[str, Peer] = {}
        try:
            for step in script.steps:
                self._step(step, peers, transcript)
            self._finish(script.steps[-1], peers.values(), transcript)
        except Stuck as stuck:
            raise Stuck(f"{stuck}\n{write_down(transcript)}") from None
        finally:
            for peer in peers.values():
                peer.close()
        return transcript

    def _step(self, step: Step, peers: dict[str, Peer], transcript: Transcript) -> None:
        exchange = Exchange(step)
        if step.waits:
            transcript.exchanges.append(exchange)
        peer = peers.get(step.connection)
        if peer is None:
            peer = peers[step.connection] = Peer(step.connection, self._address, self._cutter)
            if step.action not in ("startup", "byte") and not step.text.startswith("raw"):
                self._login(peer, {}, exchange.frames, transcript)
        peer.owed += step.owes
        action, _, argument = step.action.partition(" ")
        if action == "startup":
            self._login(peer, step.options, exchange.frames, transcript)
        elif action == "byte":
            peer.send(step.payload)
            peer.receive_byte(exchange.frames)
        elif action == "send":
            peer.pending += step.payload
            if step.waits:
                peer.send()
                _await_ready(peer, exchange.frames)
        elif action == "wait":
            peer.send()
            self._wait(peer, argument, exchange.frames)
        elif action == "flush":
            peer.send()
        elif action == "quiet":
            peer.send()
            exchange.note = "quiet" if peer.is_quiet() else "something arrived"
        elif action == "blocked":
            self._await_blocked(peers[argument])
        elif action == "cancel":
            self._cancel(peers[argument])
        elif action == "terminate":
            peer.send(step.payload)
            peer.receive(None, exchange.frames)
        elif action == "drop":
            peer.close()
            del peers[step.connection]

    def _login(
        self,
        peer: Peer,
        given: Mapping[str, str],
        into: list[Frame],
        transcript: Transcript,
    ) -> None:
        parameters = {"user": "app", "database": self._database, **given}
        version = parameters.pop("version", "3.0").split(".")
        for name in [key for key, value in parameters.items() if value == "-"]:
            del parameters[name]
        if self._options:
            parameters["options"] = f"{parameters.get('options', '')} {self._options}".strip()
        number = int(version[0]) << 16 | int(version[1])
        peer.login(parameters, number, into)
        transcript.pids[peer.pid] = peer.name

    def _wait(self, peer: Peer, kind: str, into: list[Frame]) -> None:
        if kind == "close":
            peer.receive(None, into)
        elif kind == "Z":
            _await_ready(peer, into)
        else:
            peer.receive(lambda frame: frame.kind == kind, into)
            peer.owed -= sum(frame.kind == "Z" for frame in into)

    def _await_blocked(self, target: Peer) -> None:
        watcher = Peer("watcher", self._address, whole)
        seen: list[Frame] = []
        try:
            watcher.login({"user": "app", "database": self._database}, frames.PROTOCOL_3_0, seen)
            while not any(frame.kind == "D" for frame in seen):
                seen.clear()
                watcher.send(
                    frames.query(
                        "select 1 from pg_catalog.pg_stat_activity"
                        f" where pid = {target.pid} and wait_event_type = 'Lock'"
                    )
                )
                watcher.receive(lambda frame: frame.kind == "Z", seen)
        finally:
            watcher.close()

    def _cancel(self, target: Peer) -> None:
        with socket.create_connection(self._address, timeout=TIMEOUT) as request:
            request.sendall(frames.cancel(target.pid, target.secret))
            request.recv(1)

    def _finish(self, last: Step, peers: Iterable[Peer], transcript: Transcript) -> None:
        """Say goodbye on every connection: what still arrives then was too much before."""
        for peer in peers:
            rest = Exchange(last, note=f"the end of connection {peer.name}")
            if not peer.closed:
                peer.send(frames.TERMINATE)
                peer.receive(None, rest.frames)
            transcript.exchanges.append(rest)


def _await_ready(peer: Peer, into: list[Frame]) -> None:
    """Read until every Query and Sync sent so far is answered by its ReadyForQuery."""
    while peer.owed > 0 and not peer.closed:
        peer.receive(lambda frame: frame.kind == "Z", into)
        if into and into[-1].kind == "Z":
            peer.owed -= 1


def write_down(transcript: Transcript) -> str:
    """Render a transcript for a person."""
    lines = []
    for exchange in transcript.exchanges:
        lines.append(f"{exchange.step.connection}> {exchange.step.text} {exchange.note}".rstrip())
        lines += [f"    < {frame}" for frame in exchange.frames]
    return "\n".join(lines)


def await_read(sock: socket.socket, patience: float = 1.0) -> None:
    """Wait until the peer, on this machine, has read all that we sent.

    Without it two writes would often reach the peer as one, and a cut would test nothing. A peer
    may rightly be slow to read (it waits for its own peer), so after `patience` seconds go on.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and _unread(sock):
        os.sched_yield()


_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_ANY_COOKIE = 0xFFFF_FFFF


def _unread(sock: socket.socket) -> int:
    """Ask the kernel (netlink sock_diag) how many bytes the other end has not read yet."""
    try:
        local, remote = sock.getsockname(), sock.getpeername()
    except OSError:
        return 0  # The peer has hung up.
    # Seen from the other end, its own address is our remote one.
    request = struct.pack(
        "=IHHII BBBBI",
        72,
        _SOCK_DIAG_BY_FAMILY,
        1,
        0,
        0,
        socket.AF_INET,
        socket.IPPROTO_TCP,
        0,
        0,
        0xFFFF_FFFF,
    )
    request += struct.pack("!HH", remote[1], local[1])
    request += socket.inet_aton(remote[0]) + bytes(12) + socket.inet_aton(local[0]) + bytes(12)
    request += struct.pack("=III", 0, _ANY_COOKIE, _ANY_COOKIE)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as netlink:
        netlink.send(request)
        answer = netlink.recv(4096)
    if struct.unpack_from("=H", answer, 4)[0] != _SOCK_DIAG_BY_FAMILY:
        return 0
    queued: int = struct.unpack_from("=I", answer, 72)[0]
    return queued
