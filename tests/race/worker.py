"""One session of the race: random reads and writes through the proxy, each answer checked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.race import client as raw
from tests.race.client import Client, Gone, Reply
from tests.race.registers import Register, StaleRead
from tests.race.schema import SCHEMA_CHANGES, TARGETS, UNVERSIONED
from tests.support import frames

_OPTIONS = "-c lock_timeout=10s -c statement_timeout=20s"
_HARMLESS = ("55P03", "40P01", "57014", "40001", "25P02")
"""Errors by which PostgreSQL says that a statement did not happen."""
_SELDOM = 0.06
"""How often a write is one that costs the proxy much."""
_REPLACED = ("42P01", "XX000")
"""What a statement may be told that finds its table replaced between two looks at the catalog."""
WIDE = "select v, repeat(v || ' ', 30000) from ({}) wide(v)"
"""A read with more than 100 kB of its value."""


@dataclass(slots=True)
class World:
    """What all sessions share: where to connect, the registers, how much is done."""

    addresses: Sequence[tuple[str, int]]
    database: str
    goal: int
    registers: Mapping[str, Register]
    wide: float = 0.0
    """How often a read brings a large value along."""
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def operations(self) -> int:
        """Return how many reads and writes were done."""
        return self.counts["reads"] + self.counts["writes"]


class Worker:
    """A session that does random things until the goal is reached."""

    def __init__(self, name: str, world: World, chance: random.Random) -> None:
        self.name = name
        self._world = world
        self._chance = chance
        self._client: Client | None = None
        self._prepared: dict[str, str] = {}
        self._tenant = 1
        self._path = "s1"
        self._role = "app"
        self._in_transaction = False

    @property
    def client(self) -> Client:
        """Return the connection of the moment."""
        assert self._client is not None
        return self._client

    async def run(self) -> None:
        """Work until the world has had enough."""
        await self._connect()
        acts: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._read_batch, 60),
            (self._read_in_transaction, 10),
            (self._write, 10),
            (self._write_in_transaction, 8),
            (self._change_settings, 4),
            (self._undo_settings, 2),
            (self._repeatable_read, 1),
            (self._two_phase, 1),
            (self._copy, 1),
            (self._vanish, 1),
            (self._reconnect, 1),
        ]
        functions, weights = [act for act, _ in acts], [weight for _, weight in acts]
        try:
            while self._world.operations < self._world.goal:
                (act,) = self._chance.choices(functions, weights)
                await act()
        finally:
            await self.client.close()

    async def _connect(self) -> None:
        world = self._world
        self._tenant, self._path = self._chance.choice((1, 2)), self._chance.choice(("s1", "s2"))
        self._role, self._prepared, self._in_transaction = "app", {}, False
        options = f"{_OPTIONS} -c app.tenant={self._tenant} -c search_path={self._path},public"
        address = self._chance.choice(world.addresses)
        self._client = await Client.connect(address, "app", world.database, options)

    async def _reconnect(self) -> None:
        await self.client.close()
        await self._connect()

    # Reading

    def _readable(self) -> str:
        """Choose a register that this session's tenant and path can see."""
        while True:
            name = self._chance.choice(list(TARGETS))
            if name.startswith("secured") and not name.endswith(str(self._tenant)):
                continue
            if name.endswith(".same") and not name.startswith(self._path):
                continue
            if name in SCHEMA_CHANGES and self._in_transaction:
                continue  # An error would abort more than this read.
            return name

    def _read_bytes(self, name: str) -> bytes:
        """Build a read of a register by one of the protocols."""
        statement = self._chance.choice(TARGETS[name].read).format(self._chance.random())
        if self._chance.random() < self._world.wide:
            statement = WIDE.format(statement)
        how = self._chance.random()
        if how < 0.4:
            return raw.simple(statement)
        if how < 0.6:
            return raw.unnamed(statement)
        if statement in self._prepared:
            return raw.again(self._prepared[statement])
        if len(self._prepared) > 40:
            return raw.unnamed(statement)
        self._prepared[statement] = f"s{len(self._prepared)}"
        return raw.named(self._prepared[statement], statement)

    async def _read_batch(self) -> None:
        await self._read(self._chance.randint(1, 12))

    async def _read(self, count: int, own: Mapping[str, int] | None = None) -> None:
        """Read some registers in one write; `own` holds what this transaction wrote itself."""
        names = [self._readable() for _ in range(count)]
        data = b"".join(self._read_bytes(name) for name in names)
        registers = self._world.registers
        floors = [registers[name].read_sent(self.name) for name in names]
        replies = await self.client.ask(data, count)
        self._world.counts["reads"] += count
        for name, floor, reply in zip(names, floors, replies, strict=True):
            value = self._value(name, reply)
            if own is not None and name in own:
                if value != own[name]:
                    raise StaleRead(f"{self.name} wrote {own[name]} to {name} and read {value}")
            elif value is not None:
                registers[name].read(self.name, floor, value)

    def _value(self, name: str, reply: Reply) -> int | None:
        """Return the number that a read got; `None` when PostgreSQL refused to answer."""
        if reply.errors:
            harmless = _HARMLESS + (_REPLACED if name in SCHEMA_CHANGES else ())
            if reply.errors[0].startswith(harmless):
                self._world.counts["errors"] += 1
                return None
            raise AssertionError(f"{self.name} reading {name}: {reply.errors}")
        if len(reply.rows) != 1 or not reply.rows[0][0]:
            raise StaleRead(f"{self.name} read {reply.rows} of {name} instead of one row")
        text = reply.rows[0][0]
        # A hit of a poisoned proxy shows as `#` in place of the `x`.
        if text[:1] == b"#":
            self._world.counts["hits"] += 1
        for wide in reply.rows[0][1:]:
            if wide is None or set(wide.split()) != {b"x" + text[1:]}:
                raise StaleRead(f"{self.name} read {text!r} of {name} with another's large value")
        return int(text[1:])

    async def _read_in_transaction(self) -> None:
        await self._say(self._chance.choice(("begin", "start transaction", "begin read only")))
        for _ in range(self._chance.randint(1, 3)):
            await self._read(self._chance.randint(1, 3))
        await self._say(self._chance.choice(("commit", "rollback", "end")))

    async def _repeatable_read(self) -> None:
        """A repeatable-read transaction sees what it saw first, whatever commits meanwhile."""
        name = self._readable()
        statement = TARGETS[name].read[0].format("")
        await self._say("begin isolation level repeatable read")
        seen = set()
        for _ in range(3):
            reply = await self.client.query(statement)
            self._world.counts["reads"] += 1
            if not reply.errors and reply.rows:
                seen.add(reply.rows[0][0])
        await self._say("rollback")
        if len(seen) > 1 and name not in UNVERSIONED:
            raise StaleRead(f"{self.name} read {seen} of {name} in one snapshot")

    # Writing

    def _writable(self) -> str:
        name = self._readable()
        if not TARGETS[name].writes and self._chance.random() > _SELDOM:
            return self._writable()
        return name

    def _statement(self, name: str, *, alone: bool = False) -> str:
        """Choose how to write a register."""
        target = TARGETS[name]
        if not target.writes or self._chance.random() < _SELDOM:
            seldom = (*target.seldom, *target.alone) if alone else target.seldom
            if seldom:
                return self._chance.choice(seldom)
        return self._chance.choice(target.writes)

    async def _write(self) -> None:
        """Write in a transaction of its own."""
        name = self._writable()
        statement = self._statement(name, alone=True)
        if name in SCHEMA_CHANGES:
            await self._set_role("app")
        register = self._world.registers[name]
        async with register.lock:
            value = register.next_value(self.name)
            register.commit_sent(self.name, value)
            text = statement.format(f"x{value}")
            if ";" not in text and self._chance.random() < 0.5:
                (reply,) = await self.client.ask(raw.unnamed(text))
            else:
                reply = await self.client.query(text)
            self._settle(register, value, reply)
        await self._read(self._chance.randint(1, 3))

    def _settle(self, register: Register, value: int, reply: Reply) -> None:
        self._world.counts["writes"] += 1
        self._in_transaction = False
        if reply.errors or "ROLLBACK" in reply.tags:
            if reply.errors and not reply.errors[0].startswith(_HARMLESS):
                raise AssertionError(f"{self.name} writing {register.name}: {reply.errors}")
            register.aborted(self.name, value)
        else:
            register.committed(self.name, value)

    async def _write_in_transaction(self) -> None:
        """Write, read it back, perhaps undo part, and commit or roll back."""
        name = self._writable()
        register = self._world.registers[name]
        if name in SCHEMA_CHANGES:
            await self._set_role("app")
        async with register.lock:
            await self._say("begin")
            if self._chance.random() < 0.3:
                await self._read(1)
            value = register.next_value(self.name)
            own = {name: value}
            statement = self._statement(name)
            reply = await self.client.query(statement.format(f"x{value}"))
            if reply.errors:
                await self._say("rollback")
                self._settle(register, value, reply)
                return
            await self._read(self._chance.randint(1, 3), own)
            if self._chance.random() < 0.3:
                await self._savepoint(name, statement, own)
            if self._chance.random() < 0.35:
                await self._say(self._chance.choice(("rollback", "abort")))
                register.aborted(self.name, value)
                self._world.counts["writes"] += 1
            else:
                register.commit_sent(self.name, value)
                self._settle(register, value, await self._commit())
        await self._read(self._chance.randint(1, 3))

    async def _savepoint(self, name: str, statement: str, own: Mapping[str, int]) -> None:
        """Write a value of which nothing may remain."""
        register = self._world.registers[name]
        await self._say("savepoint a")
        lost = register.next_value(self.name)
        await self.client.query(statement.format(f"x{lost}"))
        await self._say("rollback to a")
        register.aborted(self.name, lost)
        await self._read(1, own)

    async def _commit(self) -> Reply:
        """Commit by one of the ways that drivers have."""
        if self._chance.random() < 0.3:
            return (await self.client.ask(raw.unnamed("COMMIT")))[0]
        if self._chance.random() < 0.2:
            # The next read goes out in the same write as the commit.
            data = frames.query("commit") + frames.query("select 1")
            return (await self.client.ask(data, 2))[0]
        return await self.client.query("commit")

    async def _two_phase(self) -> None:
        name = self._chance.choice(("p0.1", "p1.2", "parted.1"))
        register = self._world.registers[name]
        async with register.lock:
            value = register.next_value(self.name)
            await self._say("begin")
            statement = self._chance.choice(TARGETS[name].writes)
            reply = await self.client.query(statement.format(f"x{value}"))
            gid = f"{self._world.database}-{self.name}-{value}"
            prepared = await self.client.query(f"prepare transaction '{gid}'")
            self._in_transaction = False
            if reply.errors or prepared.errors:
                await self.client.query("rollback")
                register.aborted(self.name, value)
                return
            await self._read(1)
            if self._chance.random() < 0.3:
                await self._say(f"rollback prepared '{gid}'")
                register.aborted(self.name, value)
            else:
                register.commit_sent(self.name, value)
                done = await self.client.query(f"commit prepared '{gid}'")
                self._settle(register, value, done)
        await self._read(1)

    async def _copy(self) -> None:
        register = self._world.registers["p0.2"]
        async with register.lock:
            await self._say("begin")
            await self._say("delete from p0 where id = 2")
            value = register.next_value(self.name)
            reply = await self.client.copy_in("copy p0 from stdin", f"2\tx{value}\n".encode())
            await self._read(1, {"p0.2": value})
            register.commit_sent(self.name, value)
            done = await self._commit()
            self._settle(register, value, reply if reply.errors else done)
        await self._read(2)

    async def _vanish(self) -> None:
        """Send COMMIT and hang up, or be ended: it may have happened, and stays (T-15, W-44)."""
        name = self._chance.choice(("p0.1", "p1.1", "cascade", "parted.1"))
        register = self._world.registers[name]
        async with register.lock:
            value = register.next_value(self.name)
            await self._say("begin")
            reply = await self.client.query(TARGETS[name].writes[0].format(f"x{value}"))
            if reply.errors:
                await self._say("rollback")
                register.aborted(self.name, value)
                return
            killed = self._chance.random() < 0.5
            register.commit_sent(self.name, value)
            self.client.send(frames.query("commit"))
            await (self.client.end() if killed else self.client.drop())
        await self._connect()
        await self._read(2)

    # Settings

    async def _change_settings(self) -> None:
        choice = self._chance.randrange(5)
        if choice == 0:
            self._tenant = self._chance.choice((1, 2))
            await self._say(f"set app.tenant = '{self._tenant}'")
        elif choice == 1:
            self._path = self._chance.choice(("s1", "s2"))
            await self._say(f"set search_path = {self._path}, public")
        elif choice == 2:
            await self._set_role(self._chance.choice(("app", "alice", "bob")))
        elif choice == 3:
            tenant = self._chance.choice((1, 2))
            await self._say(f"select set_config('app.tenant', '{tenant}', false)")
            self._tenant = tenant
        else:
            zone = self._chance.choice(("UTC", "Asia/Tokyo"))
            await self._say(f"set timezone = '{zone}'")
        await self._read(self._chance.randint(1, 4))
        await self._check_identity()

    async def _undo_settings(self) -> None:
        """Change settings in a transaction and roll it back (S-04)."""
        before = self._tenant, self._path, self._role
        await self._say("begin")
        local = self._chance.choice(("", "local "))
        self._tenant, self._path = 3 - self._tenant, "s2" if self._path == "s1" else "s1"
        await self._say(f"set {local}app.tenant = '{self._tenant}'")
        await self._say(f"set {local}search_path = {self._path}, public")
        await self._say(f"set {local}role alice")
        self._role = "alice"
        await self._read(2)
        await self._check_identity()
        ended = self._chance.choice(("rollback", "commit"))
        await self._say(ended)
        if ended == "rollback" or local:
            self._tenant, self._path, self._role = before
        await self._read(2)
        await self._check_identity()

    async def _set_role(self, role: str) -> None:
        await self._say("reset role" if role == "app" else f"set role {role}")
        self._role = role

    async def _check_identity(self) -> None:
        """Rows that name the current role and tenant never come from another's session."""
        reply = await self.client.query("select v, current_user, tenant from secured")
        self._world.counts["reads"] += 1
        found = [row[1:] for row in reply.rows]
        if found != [[self._role.encode(), str(self._tenant).encode()]]:
            raise StaleRead(f"{self.name} is {self._role} of tenant {self._tenant}, got {found}")

    async def _say(self, sql: str) -> None:
        reply = await self.client.query(sql)
        if reply.errors:
            raise Gone(f"{self.name}: {sql}: {reply.errors}")
        self._in_transaction = reply.status == "T"
