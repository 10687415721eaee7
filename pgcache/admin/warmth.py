"""When to warm up, and what: schedules, the recorded questions' file, orders from the console.

Counterpart: ``warmer`` asks. Decides nothing about caching.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from pgcache.admin.asking import build_question
from pgcache.admin.warmer import Job, Task, Warmer
from pgcache.config import Address, Config
from pgcache.config.schedule import START, next_moment
from pgcache.proxy.engine import Engine
from pgcache.proxy.recorder import Question

log = structlog.get_logger("pgcache.warm")

_MAX_SHOWN: Final = 200  # characters of a query
_SAVE_INTERVAL: Final = 60.0  # seconds
_WARM_ENOUGH: Final = 0.5  # of an entry's lifetime: with more left it is not asked again


class Warmth:
    """One process's warming up. ``now`` gives local time (aware), ``pause`` sleeps (seconds)."""

    def __init__(
        self,
        engine: Engine,
        address: Callable[[], Address],
        *,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._engine = engine
        self._config: Config = engine.config
        self._now = now
        self._pause = pause
        self._keeping: dict[str, asyncio.Task[None]] = {}  # by schedule
        self._saving: asyncio.Task[None] | None = None
        self._is_started = False
        self.warmer = Warmer(engine.config, address, self.is_warm)

    def start(self) -> None:
        """Read what was recorded, ask what is to be asked at start, and go by the schedules."""
        self._is_started = True
        self._load()
        self._ask(START)
        self._go_by_schedules()
        if self._config.warm_up.record is not None:
            self._saving = asyncio.get_running_loop().create_task(self._keep_file())

    def reconfigure(self, config: Config) -> None:
        """Go by other schedules, and ask other queries. What is for the start waits for one."""
        self._config = config
        self.warmer.reconfigure(config)
        if self._is_started:
            self._go_by_schedules()

    def _go_by_schedules(self) -> None:
        """Keep those that are configured; an interval that stays is not begun anew."""
        warm_up = self._config.warm_up
        wanted = {one for warm in self._config.warm for one in warm.schedule}
        if warm_up.top:
            wanted |= set(warm_up.schedule)
        wanted.discard(START)
        for schedule in self._keeping.keys() - wanted:
            self._keeping.pop(schedule).cancel()
        for schedule in sorted(wanted - self._keeping.keys()):
            task = asyncio.get_running_loop().create_task(self._keep(schedule))
            self._keeping[schedule] = task

    async def stop(self) -> None:
        """Ask no more, and save what was recorded."""
        self._is_started = False
        tasks = [*self._keeping.values(), *((self._saving,) if self._saving else ())]
        self._keeping.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.warmer.close()
        self._save()

    def warm_top(self, count: int, *, refresh: bool = False) -> Job:
        """Ask the ``count`` recorded questions that saved most."""
        for _ in self._engine.settle():
            pass
        return self.warmer.start(self._top(count), refresh=refresh)

    def warm_configured(self, *, refresh: bool = False) -> Job:
        """Ask all of ``[[warm]]``."""
        return self.warmer.start(list(self._configured(None)), refresh=refresh)

    def rows(self) -> Iterator[tuple[str | float, ...]]:
        """The jobs, question by question, the newest first: the columns of SHOW WARM."""
        for job in reversed(self.warmer.jobs):
            for task in job.tasks:
                question = task.question
                text = " ".join(question.text.split())[:_MAX_SHOWN]
                yield (
                    *(job.name, task.fate.value, round(task.seconds, 3)),
                    *(question.database, question.user, task.detail, text),
                )

    def is_warm(self, question: Question) -> bool:
        """Whether the question's entry is there and will be for a good part of its lifetime."""
        if not question.key:
            return False
        engine = self._engine
        names = {database.name: database for database in engine.databases()}
        database = names.get(question.database)
        if database is None:
            return False
        now = engine.clock()
        entry = engine.store.get(question.key, database.generations, now)
        if entry is None:
            return False
        return entry.expires_at - now > _WARM_ENOUGH * (entry.expires_at - entry.stored_at)

    def _ask(self, schedule: str) -> None:
        tasks = list(self._configured(schedule))
        warm_up = self._config.warm_up
        if warm_up.top and schedule in warm_up.schedule:
            tasks += self._top(warm_up.top)
        if tasks:
            self.warmer.start(tasks)

    def _top(self, count: int) -> list[Task]:
        return [Task(recorded.question) for recorded in self._engine.recorder.top(count)]

    def _configured(self, schedule: str | None) -> Iterable[Task]:
        for warm in self._config.warm:
            if schedule is None or schedule in warm.schedule:
                secret = warm.password
                password = None if secret is None else secret.get_secret_value()
                yield Task(build_question(self._config, warm), password)

    async def _keep(self, schedule: str) -> None:
        """Ask whenever the schedule says so."""
        while True:
            now = self._now()
            moment = next_moment(schedule, now)
            if moment is None:
                return
            while (left := (moment - self._now()).total_seconds()) > 0:
                await self._pause(min(left, 3600.0))  # a clock that is set is noticed
            self._ask(schedule)

    # -- the file

    async def _keep_file(self) -> None:
        while True:
            await self._pause(_SAVE_INTERVAL)
            self._save()

    def _load(self) -> None:
        name = self._config.warm_up.record
        if name is None or not Path(name).exists():
            return
        try:
            if Path(name).stat().st_mode & 0o077:
                raise ValueError("others may read it; chmod 600")
            count = self._engine.recorder.load(Path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.error("recorded questions not read", file=name, problem=str(error))
        else:
            log.info("recorded questions read", file=name, questions=count)

    def _save(self) -> None:
        name, recorder = self._config.warm_up.record, self._engine.recorder
        if name is None or not recorder.is_changed:
            return
        for _ in self._engine.settle():
            pass
        part = Path(f"{name}.{os.getpid()}.part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(recorder.dump())
            part.replace(name)
        except OSError as error:
            recorder.is_changed = True
            log.error("recorded questions not saved", file=name, problem=str(error))
