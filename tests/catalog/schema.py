"""Makes schemas on a real server, and reads them as the service would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from pgcache.catalog.loader import load_snapshot
from pgcache.catalog.model import EVERYTHING, ReadClosure, Relation
from pgcache.catalog.snapshot import Snapshot
from pgcache.sql.model import Name
from tests.support.postgres import SUPERUSER, Server

PATH = ("public",)


@dataclass(frozen=True, slots=True)
class Schema:
    """A snapshot with short questions, answered in names instead of OIDs."""

    snapshot: Snapshot

    def relation(self, name: str, path: tuple[str, ...] = PATH) -> Relation:
        """Return the only relation of that name."""
        (found,) = self.snapshot.find(parse_name(name), path)
        return found

    def reads(self, *names: str, only: bool = False) -> ReadClosure:
        """Return the read closure of relations."""
        return self.snapshot.read_closure([(self.relation(name), only) for name in names])

    def read_names(self, *names: str, only: bool = False) -> set[str]:
        """Return the names of the tags that a read has."""
        return self.names(self.reads(*names, only=only).tags)

    def write_names(self, *names: str, cascade: bool = False) -> set[str] | None:
        """Return the names of the tags that a write moves; None is everything."""
        relations = [self.relation(name) for name in names]
        tags = self.snapshot.write_closure(relations, cascade=cascade)
        return None if tags is EVERYTHING else self.names(tags)

    def names(self, tags: frozenset[int]) -> set[str]:
        """Return the names of tags, without the schema where it is public."""
        return {self.snapshot.relations[oid].display.removeprefix("public.") for oid in tags}


def parse_name(text: str) -> Name:
    """Return `schema.name` or `name` as a Name."""
    schema, dot, name = text.rpartition(".")
    return Name(name=name, schema=schema if dot else None)


async def load(
    server: Server,
    database: str,
    *statements: str,
    declared: Mapping[str, tuple[str, ...]] | None = None,
    user: str = SUPERUSER,
) -> Schema:
    """Run statements in a database as superuser, then read its schema as `user`."""
    if statements:
        server.execute(*statements, database=database)
    connection = await asyncpg.connect(server.url(user, database))
    try:
        return Schema(await load_snapshot(connection, declared))
    finally:
        await connection.close()
