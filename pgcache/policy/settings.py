"""What PostgreSQL's settings mean for a cached result (semantics 2.3).

Three classes: A changes bytes or meaning and is part of every key; B makes results unpredictable,
so a session that changes it is not served; C only steers plans, limits and logs. What is not
listed here is class A (S-20).

Counterpart: ``context`` tracks the values. Must not know: sessions, the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

# Class A settings that PostgreSQL does not report, with an effect on what a SELECT returns.
# Present in every version from 14: SHOW of an unknown name would fail the whole probe.
RESULT_SETTINGS: Final = (
    "search_path",
    "extra_float_digits",
    "bytea_output",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lc_messages",
    "default_text_search_config",
    "xmlbinary",
    "xmloption",
    "timezone_abbreviations",
    "row_security",
    "backslash_quote",
    "escape_string_warning",
    "transform_null_equals",
    "array_nulls",
    "quote_all_identifiers",
    "client_min_messages",
    "session_replication_role",
    "default_transaction_isolation",
)
# Class A settings that came with a minor release: asked for where a missing one is NULL.
NEWER_SETTINGS: Final = ("restrict_nonsystem_relation_kind",)

# Class B: the value with which a session may be served.
SAFE_VALUES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gin_fuzzy_search_limit": "0",  # otherwise a random subset
        "ignore_system_indexes": "off",
        "zero_damaged_pages": "off",
        "ignore_checksum_failure": "off",
        "allow_system_table_mods": "off",
    }
)

# Judged apart by the transaction rules (T-02, T-03, S-14): they decide whether the cache is used,
# not what it holds, so Metabase's READ UNCOMMITTED does not split its entries from others'.
JUDGED_APART: Final = frozenset(
    {
        "default_transaction_deferrable",
        "default_transaction_isolation",
        "default_transaction_read_only",
        "in_hot_standby",
        "transaction_deferrable",
        "transaction_isolation",
        "transaction_read_only",
    }
)

# Class C: plans, limits and logs. They may change the order of rows that the query leaves open.
IGNORED: Final = frozenset(
    """
    application_name backend_flush_after client_connection_check_interval commit_delay
    commit_siblings compute_query_id constraint_exclusion cpu_index_tuple_cost cpu_operator_cost
    cpu_tuple_cost cursor_tuple_fraction deadlock_timeout debug_parallel_query
    debug_pretty_print debug_print_parse debug_print_plan debug_print_rewritten
    default_statistics_target effective_cache_size effective_io_concurrency
    enable_async_append enable_bitmapscan enable_distinct_reordering enable_gathermerge
    enable_group_by_reordering enable_hashagg enable_hashjoin enable_incremental_sort
    enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
    enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning
    enable_partitionwise_aggregate enable_partitionwise_join enable_presorted_aggregate
    enable_self_join_elimination enable_seqscan enable_sort enable_tidscan exit_on_error
    force_parallel_mode from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size
    geqo_seed geqo_selection_bias geqo_threshold hash_mem_multiplier
    idle_in_transaction_session_timeout idle_session_timeout io_combine_limit jit
    jit_above_cost jit_expressions jit_inline_above_cost jit_optimize_above_cost
    jit_tuple_deforming join_collapse_limit lock_timeout log_duration log_error_verbosity
    log_executor_stats log_lock_failures log_lock_waits log_min_duration_sample
    log_min_duration_statement log_min_error_statement log_min_messages
    log_parameter_max_length log_parameter_max_length_on_error log_parser_stats
    log_planner_stats log_replication_commands log_statement log_statement_sample_rate
    log_statement_stats log_temp_files log_transaction_sample_rate maintenance_io_concurrency
    maintenance_work_mem max_parallel_maintenance_workers max_parallel_workers
    max_parallel_workers_per_gather max_stack_depth min_parallel_index_scan_size
    min_parallel_table_scan_size parallel_leader_participation parallel_setup_cost
    parallel_tuple_cost plan_cache_mode random_page_cost recursive_worktable_factor
    scram_iterations seq_page_cost statement_timeout stats_fetch_consistency
    synchronize_seqscans synchronous_commit tcp_keepalives_count tcp_keepalives_idle
    tcp_keepalives_interval tcp_user_timeout temp_buffers temp_file_limit trace_notify
    trace_sort track_activities track_cost_delay_timing track_counts track_functions
    track_io_timing track_wal_io_timing transaction_timeout update_process_title
    vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty
    vacuum_cost_page_hit vacuum_cost_page_miss vacuum_failsafe_age vacuum_freeze_min_age
    vacuum_freeze_table_age vacuum_max_eager_freeze_failure_rate
    vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age
    vacuum_multixact_freeze_table_age vacuum_truncate wal_compression wal_sender_timeout
    wal_skip_threshold work_mem
    """.split()  # noqa: SIM905  a table to read
)

_SAFE_ENCODINGS: Final = re.compile(
    r"(UTF8|SQL_ASCII|LATIN\d+|ISO_8859_\d|WIN(125\d|866|874)|KOI8[RU]|EUC_\w+)\Z"
)


def is_ignored(name: str) -> bool:
    """Whether the fingerprint does not tell this setting, so that a query may not read it."""
    return name in IGNORED or name in JUDGED_APART


def is_custom(name: str) -> bool:
    """Whether this is a two-part name, which PostgreSQL makes up when first set (S-03)."""
    return "." in name


def is_safe_encoding(encoding: str) -> bool:
    """Whether no byte of a longer character can look like ASCII in this encoding (S-12)."""
    return _SAFE_ENCODINGS.match(encoding) is not None


# First minor release in which SET SESSION AUTHORIZATION and its undoing carry the role along.
_ROLE_FOLLOWS: Final[Mapping[int, int]] = MappingProxyType({14: 14, 15: 9, 16: 5, 17: 1})


def role_follows_user(server_version: str) -> bool:
    """Whether a change of the session user sets the role for exactly as long (CVE-2024-10978)."""
    match = re.match(r"(\d+)(?:\.(\d+))?", server_version, re.ASCII)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2] or 0)
    return major > max(_ROLE_FOLLOWS) or minor >= _ROLE_FOLLOWS.get(major, minor + 1)


def canonical(name: str, values: tuple[str, ...]) -> str:
    """One text for what a SET of ``name`` made of it, as near as can be to what SHOW would say.

    Different effects never give the same text; the same effect may give different ones, which
    costs sharing and nothing else.
    """
    if name == "search_path":
        return join_names(tuple(map(cut_name, values)))
    if len(values) == 1:
        shaper = _SHAPERS.get(name)
        return values[0] if shaper is None else shaper(values[0])
    return join_names(values)


def parse_bool(text: str) -> bool | None:
    """Read a Boolean as PostgreSQL does (any unambiguous beginning), None if it is none."""
    word = text.strip().lower()
    if not word:
        return None
    for truth, spellings in ((True, ("true", "yes")), (False, ("false", "no"))):
        if any(spelling.startswith(word) for spelling in spellings):
            return truth
    return {"on": True, "1": True, "off": False, "of": False, "0": False}.get(word)


def _shape_bool(text: str) -> str:
    truth = parse_bool(text)
    return text if truth is None else ("on" if truth else "off")


def _shape_int(text: str) -> str:
    # an integer with leading zeros is octal here, so only plain decimals are touched
    return str(int(text)) if re.fullmatch(r"[+-]?(0|[1-9][0-9]*)", text, re.ASCII) else text


_SHAPERS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    dict.fromkeys(
        (
            "allow_system_table_mods",
            "array_nulls",
            "escape_string_warning",
            "ignore_checksum_failure",
            "ignore_system_indexes",
            "quote_all_identifiers",
            "row_security",
            "transform_null_equals",
            "zero_damaged_pages",
        ),
        _shape_bool,
    )
    | dict.fromkeys(
        (
            "backslash_quote",
            "bytea_output",
            "client_min_messages",
            "default_transaction_isolation",
            "session_replication_role",
            "transaction_isolation",
            "xmlbinary",
            "xmloption",
        ),
        str.lower,
    )
    | dict.fromkeys(("extra_float_digits", "gin_fuzzy_search_limit"), _shape_int)
)


def join_names(names: tuple[str, ...]) -> str:
    """Write a list of names so that ``split_names`` reads it back: every name quoted."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


_NAME: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s",][^\s,]*))\s*(,|\Z)', re.ASCII)


def split_names(text: str) -> tuple[str, ...]:
    """Read a list of names as SplitIdentifierString does: folded unless quoted, cut to 63 bytes.

    Raises ValueError where PostgreSQL would have refused the list.
    """
    if not text.strip():
        return ()
    names: list[str] = []
    position, separator = 0, ","
    while separator:
        match = _NAME.match(text, position)
        if match is None:
            raise ValueError(f"not a list of names: {text!r}")
        quoted, plain, separator = match.groups()
        names.append(cut_name(fold_name(plain) if quoted is None else quoted.replace('""', '"')))
        position = match.end()
    return tuple(names)


_FOLD: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold_name(name: str) -> str:
    """Fold ASCII letters to lower case, as PostgreSQL folds an unquoted name."""
    return name.translate(_FOLD)


def cut_name(name: str) -> str:
    """Cut a name to the 63 bytes that PostgreSQL keeps, at a character's border."""
    if len(name) < 16:
        return name
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) < 64:
        return name
    return encoded[:63].decode("utf-8", "ignore")
