"""Warming up: asking what clients will ask, exactly as they do, before they do.

What is asked comes from the recorder (what clients did ask) and from ``[[warm]]``. Each question
goes over the proxy's own address as its role, so it takes the way of every client's question and
gets no more than the role may see (P2): by the role's password, or as a superuser after SET SESSION
AUTHORIZATION, which PostgreSQL reads as that role. Afterwards the proxy is asked under which key
it stored the result: a question whose key is another's than the client's has warmed nothing.

Counterpart: ``replay`` speaks the protocol, ``proxy/recorder`` remembers. Decides nothing.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic
from typing import Final

import structlog

from pgcache.admin.asking import Asking, build_asking
from pgcache.admin.replay import Line, ReplayError
from pgcache.config import Address, Config
from pgcache.errors import PgcacheError, Reason
from pgcache.policy.key import digest
from pgcache.proxy.recorder import Question

log = structlog.get_logger("pgcache.warm")

_PATIENCE: Final = 600.0  # seconds for one question
_KEY: Final = re.compile(r"\bkey=([0-9a-f]+)")
_DETAIL: Final = re.compile(r"\bdetail=([\w-]+)")
# Reasons that go by: a proxy that has just started does not know its catalogs yet.
_PASSING: Final = frozenset(
    reason.value
    for reason in (
        Reason.CATALOG_LOADING,
        Reason.TAINTED_SESSION,
        Reason.SOURCE_LOST,
        Reason.LOCKED,
    )
)
_RETRIES: Final = 20
_RETRY_PAUSE: Final = 0.5  # seconds
_MAX_JOBS: Final = 10  # finished ones that are remembered


class Fate(Enum):
    """What became of one question."""

    WAITING = "waiting"
    ASKING = "asking"
    WARMED = "warmed"
    WARM = "warm-already"
    OTHER_KEY = "other-key"  # stored, but not where the recorded client will look
    NOT_STORED = "not-stored"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in (Fate.WAITING, Fate.ASKING)

    @property
    def is_good(self) -> bool:
        """Whether the client will find its entry."""
        return self in (Fate.WARMED, Fate.WARM)


@dataclass(slots=True)
class Task:
    """One question of a job. ``seconds`` it took; ``detail``: why it went wrong."""

    question: Question
    password: str | None = None  # of its role, where it came with the question
    fate: Fate = Fate.WAITING
    seconds: float = 0.0
    detail: str = ""


@dataclass(slots=True)
class Job:
    """Questions that are asked together. ``name`` is unique among all workers."""

    name: str
    tasks: list[Task] = field(default_factory=list)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether all is done."""
        return all(task.fate.is_over for task in self.tasks)


class Warmer:
    """Asks. ``address`` tells where the proxy listens; ``is_warm`` whether a key's entry lives on
    for a good while."""

    def __init__(
        self,
        config: Config,
        address: Callable[[], Address],
        is_warm: Callable[[Question], bool],
        *,
        patience: float = _PATIENCE,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config = config
        self._address = address
        self._is_warm = is_warm
        self._patience = patience
        self._pause = pause
        self._turns = asyncio.Semaphore(config.warm_up.concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self.jobs: list[Job] = []

    def reconfigure(self, config: Config) -> None:
        """Ask as ``config`` says from now on; what is underway goes on as it began."""
        if config.warm_up.concurrency != self._config.warm_up.concurrency:
            self._turns = asyncio.Semaphore(config.warm_up.concurrency)
        self._config = config

    def start(self, tasks: Sequence[Task], *, refresh: bool = False) -> Job:
        """Begin to ask; ``refresh``: also what is warm. The job tells how far it is."""
        job = Job(secrets.token_hex(4), list(tasks))
        self.jobs = [*(j for j in self.jobs if not j.is_over), *self._finished(), job]
        running = asyncio.get_running_loop().create_task(self._run(job, refresh))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return job

    async def close(self) -> None:
        """Ask no more."""
        for running in list(self._running):
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _finished(self) -> list[Job]:
        return [job for job in self.jobs if job.is_over][-_MAX_JOBS + 1 :]

    async def _run(self, job: Job, refresh: bool) -> None:
        async with asyncio.TaskGroup() as group:
            for task in job.tasks:
                group.create_task(self._take(task, refresh))
        job.finished.set()
        counts = {fate.value: 0 for fate in Fate if fate.is_over}
        for task in job.tasks:
            counts[task.fate.value] += 1
        log.info("warmed up", job=job.name, **{key: n for key, n in counts.items() if n})

    async def _take(self, task: Task, refresh: bool) -> None:
        turns = self._turns
        async with turns:
            if not refresh and self._is_warm(task.question):
                task.fate = Fate.WARM
                return
            task.fate = Fate.ASKING
            began = monotonic()
            try:
                async with asyncio.timeout(self._patience):
                    await self._ask_until_it_can_be(task)
            except TimeoutError:
                task.fate, task.detail = Fate.FAILED, f"no answer within {self._patience:g} s"
            except PgcacheError as error:
                advice = f" ({error.hint})" if error.hint else ""
                task.fate, task.detail = Fate.FAILED, error.message + advice
            except (OSError, EOFError) as error:
                task.fate, task.detail = Fate.FAILED, f"connection lost: {error}"
            finally:
                task.seconds = monotonic() - began
                if not task.fate.is_over:  # cancelled
                    task.fate, task.detail = Fate.FAILED, "pgcache is stopping"
        if not task.fate.is_good:
            log.warning(
                "not warmed",
                fate=task.fate.value,
                problem=task.detail,
                user=task.question.user,
                database=task.question.database,
                sql=task.question.text,
            )

    async def _ask_until_it_can_be(self, task: Task) -> None:
        fate = Fate.FAILED
        for _ in range(_RETRIES):
            fate, task.detail = await self._ask(task)
            if fate is not Fate.NOT_STORED or task.detail not in _PASSING:
                break
            await self._pause(_RETRY_PAUSE)
        task.fate = fate

    async def _ask(self, task: Task) -> tuple[Fate, str]:
        asking = build_asking(task.question, self._config, task.password)
        line = await Line.open(
            self._address(),
            asking.startup,
            asking.password,
            tls=self._config.tls.mode == "require",
        )
        async with line:
            await _prepare(line.query, asking)
            for data in asking.messages:
                await line.run(data)
            rows = await line.query("SHOW pgcache.last")
        said = (rows[0][0] or b"").decode() if rows else ""
        return _judge(said, task.question.key)


async def _prepare(query: Callable[[str], Awaitable[object]], asking: Asking) -> None:
    for statement in asking.statements:
        try:
            await query(statement)
        except ReplayError as error:
            raise ReplayError(f"{statement}: {error.message}", hint=error.hint) from None


def _judge(said: str, key: bytes) -> tuple[Fate, str]:
    """What the proxy says of the question that was just asked."""
    if "stored" not in said.split("; ") and not said.startswith("pgcache; hit"):
        detail = _DETAIL.search(said)
        return Fate.NOT_STORED, detail[1] if detail else said
    found = _KEY.search(said)
    if key and (found is None or not digest(key).hex().startswith(found[1])):
        return Fate.OTHER_KEY, "the role's own settings, or the schema, are others than recorded"
    return Fate.WARMED, ""
