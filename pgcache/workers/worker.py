"""One worker: ``python -m pgcache.workers.worker FD``, started by the supervisor alone.

FD is its end of the channel. It ends when told to by a signal, and when the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import Any

import structlog
import uvloop

from pgcache import heap
from pgcache.admin import log
from pgcache.config import Config
from pgcache.errors import ConfigError, PgcacheError
from pgcache.proxy.siblings import Answers, Part
from pgcache.runtime import Place, Ready, serve
from pgcache.workers.assignment import Assignment
from pgcache.workers.channel import Channel, ChannelLost
from pgcache.workers.pulse import ALIVE

DONE, FAILED = 0, 1


class Comrades:
    """``proxy.siblings.Siblings``, through the supervisor."""

    def __init__(self) -> None:
        self.count = 1
        self.channel: Channel | None = None
        self._answers: Answers = {}

    async def ask(self, what: str, payload: Any = None, *, others: bool = False) -> list[Part]:
        """Everybody's answers."""
        assert self.channel is not None
        question = {"what": what, "payload": payload, "others": others}
        try:
            found = await self.channel.ask("all", question)
        except PgcacheError as error:
            return [Part(0, error=error.message, hint=error.hint)]
        return [Part(**part) for part in found]

    def answer_with(self, answers: Answers) -> None:
        """From now on answer what others ask."""
        self._answers = answers

    async def answer(self, what: str, payload: Any) -> Any:
        """What others ask, through the channel, and the supervisor."""
        if what == ALIVE:
            return None
        return await self._answers[what](payload)


def main(arguments: list[str]) -> int:
    """Run the worker. Its exit code says little: the channel tells the supervisor the rest."""
    end = socket.socket(fileno=int(arguments[0]))
    return uvloop.run(_work(end))


async def _work(end: socket.socket) -> int:
    comrades = Comrades()
    channel = comrades.channel = await Channel.open(end, comrades.answer)
    try:
        assignment = Assignment.read(await channel.ask("assignment"))
    except ChannelLost:
        return FAILED
    comrades.count = assignment.count
    log.configure(assignment.config.log)
    structlog.contextvars.bind_contextvars(worker=assignment.number)
    orphaned = asyncio.get_running_loop().create_task(_end_with(channel))
    try:
        await _serve(assignment, comrades, channel)
    except PgcacheError as error:
        await _report(channel, error)
        return FAILED
    finally:
        orphaned.cancel()
        await channel.close()
    return DONE


async def _serve(assignment: Assignment, comrades: Comrades, channel: Channel) -> None:
    tasks: set[asyncio.Task[Any]] = set()

    def say(what: str) -> None:
        task = asyncio.get_running_loop().create_task(channel.ask(what))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def on_ready(_ready: Ready) -> None:
        say("ready")

    def load() -> Config:
        say("reloaded")
        return assignment.load()

    place = Place(
        comrades, assignment.listen_sockets(), assignment.admin_sockets(), assignment.number
    )
    heap.settle()
    await serve(assignment.config, ready=on_ready, place=place, load=load)


async def _report(channel: Channel, error: PgcacheError) -> None:
    usage = isinstance(error, ConfigError)
    try:
        await channel.ask("failed", {"message": error.message, "hint": error.hint, "usage": usage})
    except ChannelLost:
        pass  # nobody is left to be told


async def _end_with(channel: Channel) -> None:
    """Without its supervisor a worker is one that nobody could stop: it drains."""
    await channel.closed.wait()
    structlog.get_logger("pgcache.workers").error("the supervisor is gone")
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
