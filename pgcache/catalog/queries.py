"""The SQL that reads the system catalogs, for PostgreSQL 14 to 18.

Counterpart: ``rows.py`` names the columns. Every relation and function is qualified, and the
loader empties search_path first, so that operators are pg_catalog's as well (W-11). No query
needs more than the rights every role has. Temporary objects are left out: they belong to other
sessions, and would move the digest with every report that makes one (S-09).
"""

from __future__ import annotations

from typing import Final

_NOT_TEMP = "n.nspname !~ '^pg_(toast_)?temp_'"

SERVER: Final = """
SELECT pg_catalog.current_database()::text,
       (SELECT d.oid FROM pg_catalog.pg_database d
         WHERE d.datname = pg_catalog.current_database()),
       pg_catalog.current_setting('server_version_num')::int,
       extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text,
       coalesce(extract(epoch FROM pg_catalog.pg_stat_get_bgwriter_stat_reset_time())::text, ''),
       pg_catalog.pg_is_in_recovery(),
       extract(epoch FROM pg_catalog.pg_conf_load_time())::text,
       pg_catalog.getdatabaseencoding()::text,
       pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'),
       pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')
"""

SYSTEM_IDENTIFIER: Final = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()"

# The control file learns of a new timeline at a checkpoint; the name of the current WAL file at
# once, but it has none during recovery.
TIMELINE: Final = """
SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
       THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())
       ELSE ('x' || pg_catalog.left(
            pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::int
       END
"""

BACKEND_ALIVE: Final = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
                WHERE a.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4)
"""

RELATIONS: Final = """
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text,
       c.relrowsecurity,
       coalesce(pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
                FILTER (WHERE a.attnum IS NOT NULL), '{}'),
       coalesce(pg_catalog.array_agg(a.atttypid ORDER BY a.attnum)
                FILTER (WHERE a.attnum IS NOT NULL), '{}')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a
    ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
 WHERE (c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') OR c.relkind = 'c' AND c.oid >= 16384)
   AND c.relpersistence <> 't'
 GROUP BY c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity
 ORDER BY c.oid
"""

FUNCTIONS: Final = f"""
SELECT p.oid, n.nspname::text, p.proname::text, p.provolatile::text, p.prokind::text,
       p.pronargs::int, p.pronargdefaults::int, p.provariadic <> 0, p.proargtypes::oid[],
       CASE WHEN l.lanname = 'internal' THEN p.prosrc
            WHEN l.lanname = 'plpgsql' AND p.prorettype = 2279 THEN p.prosrc ELSE '' END,
       CASE WHEN a.aggfnoid IS NULL OR p.oid < 16384 THEN '{{}}'::oid[]
            ELSE ARRAY[a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid,
                       a.aggserialfn::oid, a.aggdeserialfn::oid, a.aggmtransfn::oid,
                       a.aggminvtransfn::oid, a.aggmfinalfn::oid] END,
       coalesce(e.extname::text, ''),
       CASE WHEN p.oid < 16384 THEN '' ELSE coalesce(p.proargdefaults::text, '') END
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE {_NOT_TEMP}
 ORDER BY p.oid
"""

TYPES: Final = f"""
SELECT t.oid, n.nspname::text, t.typname::text, t.typtype::text, t.typrelid, t.typelem,
       coalesce(r.rngsubtype, m.rngtypid, t.typbasetype),
       ARRAY[t.typinput::oid, t.typoutput::oid, t.typreceive::oid, t.typsend::oid,
             coalesce(r.rngcanonical::oid, 0)]
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid
 WHERE {_NOT_TEMP} AND n.nspname <> 'pg_toast'
   AND (t.oid >= 16384 OR n.nspname = 'pg_catalog' AND t.typrelid = 0)
 ORDER BY t.oid
"""

VIEWS: Final = """
SELECT r.ev_class, r.ev_action::text
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
 WHERE r.ev_class >= 16384 AND r.ev_type = '1' AND c.relpersistence <> 't'
 ORDER BY r.ev_class, r.oid
"""

RULES: Final = """
SELECT r.ev_class, r.rulename::text
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
 WHERE r.ev_class >= 16384 AND r.ev_type <> '1' AND c.relpersistence <> 't'
 ORDER BY r.ev_class, r.oid
"""

POLICIES: Final = """
SELECT p.polrelid, p.polname::text, p.polcmd::text,
       coalesce(p.polqual::text, ''), coalesce(p.polwithcheck::text, '')
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
 WHERE c.relpersistence <> 't'
 ORDER BY p.polrelid, p.oid
"""

# A domain's default is evaluated where a column that has none of its own is left out.
DOMAINS: Final = f"""
SELECT x.type, x.tree, x.is_default FROM (
    SELECT k.contypid AS type, k.conbin::text AS tree, false AS is_default,
           k.connamespace AS schema, k.oid
      FROM pg_catalog.pg_constraint k WHERE k.contypid >= 16384 AND k.conbin IS NOT NULL
    UNION ALL
    SELECT t.oid, t.typdefaultbin::text, true, t.typnamespace, t.oid
      FROM pg_catalog.pg_type t WHERE t.typtype = 'd' AND t.typdefaultbin IS NOT NULL
) x JOIN pg_catalog.pg_namespace n ON n.oid = x.schema
 WHERE x.type >= 16384 AND {_NOT_TEMP}
 ORDER BY x.type, x.is_default, x.oid
"""

# Clones on partitions count as internal before PostgreSQL 15, therefore tgparentid (C-32).
TRIGGERS: Final = """
SELECT t.tgrelid, t.tgname::text, t.tgfoid, coalesce(t.tgqual::text, '')
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
 WHERE t.tgenabled <> 'D' AND c.relpersistence <> 't'
   AND (NOT t.tgisinternal OR t.tgparentid <> 0)
 ORDER BY t.tgrelid, t.oid
"""

FOREIGN_KEYS: Final = """
SELECT k.conrelid, k.confrelid, k.confupdtype::text, k.confdeltype::text
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
 WHERE k.contype = 'f' AND c.relpersistence <> 't'
 ORDER BY k.conrelid, k.oid
"""

INHERITS: Final = """
SELECT i.inhrelid, i.inhparent
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
 ORDER BY i.inhparent, i.inhrelid
"""

OPERATORS: Final = """
SELECT o.oid, o.oprname::text, o.oprcode::oid
  FROM pg_catalog.pg_operator o WHERE o.oid >= 16384 ORDER BY o.oid
"""

CASTS: Final = """
SELECT k.castsource, k.casttarget, k.castfunc, k.castcontext <> 'e'
  FROM pg_catalog.pg_cast k WHERE k.oid >= 16384 ORDER BY k.oid
"""

# Sorting, grouping and joining call the operators of the index methods btree and hash unseen.
SUPPORTS: Final = """
SELECT DISTINCT x.type, x.function FROM (
    SELECT p.amproclefttype AS type, p.amproc::oid AS function FROM pg_catalog.pg_amproc p
    UNION ALL SELECT p.amprocrighttype, p.amproc::oid FROM pg_catalog.pg_amproc p
    UNION ALL SELECT p.amoplefttype, o.oprcode::oid
      FROM pg_catalog.pg_amop p JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr
     WHERE p.amopmethod = 403 OR p.amopmethod = 405
    UNION ALL SELECT p.amoprighttype, o.oprcode::oid
      FROM pg_catalog.pg_amop p JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr
     WHERE p.amopmethod = 403 OR p.amopmethod = 405
) x WHERE x.function >= 16384 ORDER BY 1, 2
"""

# They run at DDL that changes nothing else, as CREATE TEMP TABLE; those of logins at none.
EVENT_TRIGGERS: Final = """
SELECT e.oid, e.evtname::text, e.evtevent::text, e.evtfoid
  FROM pg_catalog.pg_event_trigger e
 WHERE e.evtenabled <> 'D'
 ORDER BY e.oid
"""

# Sessions keep the role they have; statements and keys name it (S-08).
ROLES: Final = "SELECT r.oid, r.rolname::text FROM pg_catalog.pg_roles r ORDER BY r.oid"

# Pinned built-in functions leave no pg_depend rows (C-17), but here only the user's own matter.
CALLED: Final = """
SELECT DISTINCT x.relation, x.function FROM (
    SELECT d.adrelid AS relation, p.refclassid, p.refobjid
      FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend p
        ON p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
    UNION ALL
    SELECT k.conrelid, p.refclassid, p.refobjid
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend p
        ON p.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND p.objid = k.oid
     WHERE k.contype = 'c' AND k.conrelid <> 0
) y CROSS JOIN LATERAL (
    SELECT y.relation, y.refobjid AS function
     WHERE y.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    UNION ALL
    SELECT y.relation, o.oprcode::oid FROM pg_catalog.pg_operator o
     WHERE y.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = y.refobjid
) x ORDER BY 1, 2
"""


def _sum(columns: str, source: str) -> str:
    """A hash of a set of rows that does not depend on their order."""
    value = f"pg_catalog.hashtextextended(pg_catalog.concat_ws(',', {columns}), 0)"
    return f"(SELECT pg_catalog.count(*) || ':' || pg_catalog.sum({value}) FROM {source})"


def _concat(parts: list[str]) -> str:
    return "SELECT pg_catalog.concat_ws('/',\n  " + ",\n  ".join(parts) + ")"


def _columns(*queries: str) -> str:
    """One row with the value of each query, all read at once."""
    return "SELECT " + ",\n".join(f"({query})" for query in queries)


def _in_schema(catalog: str, column: str) -> str:
    return (
        f"pg_catalog.{catalog} JOIN pg_catalog.pg_namespace n ON n.oid = {column} WHERE {_NOT_TEMP}"
    )


_ENUMS: Final = "pg_catalog.pg_enum e JOIN " + _in_schema(
    "pg_type t ON t.oid = e.enumtypid", "t.typnamespace"
)
_LOADED: Final = "c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')"
_ROLES: Final = [
    _sum("r.oid, r.rolname, r.rolsuper, r.rolinherit, r.rolbypassrls", "pg_catalog.pg_roles r"),
    _sum("m::text", "pg_catalog.pg_auth_members m"),
]

_PERMANENT: Final = "JOIN pg_catalog.pg_class c ON c.oid = {column} AND c.relpersistence <> 't'"


def _of_relations(catalog: str, column: str) -> str:
    return f"pg_catalog.{catalog} x " + _PERMANENT.format(column=f"x.{column}")


# Access rights, ownership and what else decides who sees which rows (C-21).
PRIVILEGES: Final = _concat(
    [
        _sum(
            "c.oid, c.relowner, c.relacl, c.relforcerowsecurity, c.reloptions",
            f"pg_catalog.pg_class c WHERE {_LOADED}",
        ),
        _sum(
            "a.attrelid, a.attnum, a.attacl",
            "pg_catalog.pg_attribute a WHERE a.attacl IS NOT NULL",
        ),
        _sum(
            "p.oid, p.proowner, p.proacl, p.prosecdef, p.proconfig",
            _in_schema("pg_proc p", "p.pronamespace"),
        ),
        _sum(
            "n.oid, n.nspname, n.nspowner, n.nspacl",
            f"pg_catalog.pg_namespace n WHERE {_NOT_TEMP}",
        ),
        *_ROLES,
    ]
)

# What changes results without being read here: labels, collations, text search, function bodies.
OTHERS: Final = _concat(
    [
        _sum("x::text", f"pg_catalog.{catalog} x")
        for catalog in (
            "pg_collation",
            "pg_ts_config",
            "pg_ts_config_map",
            "pg_ts_dict",
            "pg_opclass",
            "pg_amop",
        )
    ]
    + [
        _sum("e.oid, e.enumtypid, e.enumsortorder, e.enumlabel", _ENUMS),
        _sum(
            "x.attrelid, x.attnum, x.atttypmod, x.attcollation, x.attgenerated, d.adbin",
            _of_relations("pg_attribute", "attrelid") + " LEFT JOIN pg_catalog.pg_attrdef d"
            " ON d.adrelid = x.attrelid AND d.adnum = x.attnum AND x.attgenerated <> ''"
            " WHERE x.attrelid >= 16384 AND x.attnum > 0 AND c.relkind <> 'i'",
        ),
        _sum(
            "p.oid, p.prosrc, p.probin",
            _in_schema("pg_proc p", "p.pronamespace") + " AND p.oid >= 16384",
        ),
    ]
)

# Whether anything changed: a changed row is a new row version, whose xmin is the changing
# transaction's, and the set of (row, xmin) pairs is hashed. In-place updates (statistics) leave
# xmin alone and change nothing that is read here. FUNCTIONS reads nothing but what the first
# column covers: unless that moved, the thousands of rows are the same.
CHECK: Final = _columns(
    _concat(
        [
            _sum("x.oid, x.xmin", _in_schema("pg_proc x", "x.pronamespace")),
            _sum("n.oid, n.xmin", f"pg_catalog.pg_namespace n WHERE {_NOT_TEMP}"),
            _sum("x.oid, x.xmin", "pg_catalog.pg_language x"),
            _sum("x.oid, x.xmin", "pg_catalog.pg_extension x"),
            _sum("x.aggfnoid, x.xmin", "pg_catalog.pg_aggregate x"),
            _sum(
                "x.objid, x.refobjid, x.xmin",
                "pg_catalog.pg_depend x WHERE x.deptype = 'e'"
                " AND x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass",
            ),
        ]
    ),
    _concat(
        [
            _sum("c.oid, c.xmin", f"pg_catalog.pg_class c WHERE {_LOADED}"),
            _sum("x.attrelid, x.attnum, x.xmin", _of_relations("pg_attribute", "attrelid")),
            _sum("x.oid, x.xmin", _of_relations("pg_rewrite", "ev_class")),
            _sum("x.oid, x.xmin", _of_relations("pg_policy", "polrelid")),
            _sum("x.oid, x.xmin", _of_relations("pg_trigger", "tgrelid")),
            _sum("x.oid, x.xmin", _of_relations("pg_attrdef", "adrelid")),
            _sum("x.inhrelid, x.inhparent, x.xmin", _of_relations("pg_inherits", "inhrelid")),
            _sum("x.oid, x.xmin", _in_schema("pg_constraint x", "x.connamespace")),
            _sum("x.oid, x.xmin", _in_schema("pg_type x", "x.typnamespace")),
            _sum("e.oid, e.xmin", _ENUMS),
            *(
                _sum("x.oid, x.xmin", f"pg_catalog.{catalog} x")
                for catalog in (
                    "pg_operator",
                    "pg_cast",
                    "pg_amproc",
                    "pg_amop",
                    "pg_opclass",
                    "pg_collation",
                    "pg_ts_config",
                    "pg_ts_dict",
                    "pg_event_trigger",
                )
            ),
            _sum("x.rngtypid, x.xmin", "pg_catalog.pg_range x"),
            _sum("x.mapcfg, x.maptokentype, x.mapseqno, x.xmin", "pg_catalog.pg_ts_config_map x"),
            *_ROLES,
        ]
    ),
)
