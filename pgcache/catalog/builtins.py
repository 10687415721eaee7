"""What is known of PostgreSQL's own functions beyond their volatility.

The volatility itself comes from the origin's pg_proc, so that each version's additions are right.
IMMUTABLE ones are allowed, VOLATILE ones never; STABLE ones only when listed here (C-11, C-12).
Counterpart: ``functions.py`` turns these lists into verdicts. No SQL text, no I/O.
"""

from __future__ import annotations

from typing import Final

from pgcache.catalog.model import FunctionVerdict
from pgcache.errors.reasons import Reason, Refusal

SAFE: Final = FunctionVerdict()
CLOCK: Final = FunctionVerdict(clock=True)


def names(text: str) -> frozenset[str]:
    """The words of a table written as text."""
    return frozenset(text.split())


# STABLE only because they depend on settings that are part of the key (DateStyle, TimeZone,
# lc_*, client_encoding, bytea_output, default_text_search_config ...), on enum labels or on
# other parts of the schema, which the schema epoch covers (C-40).
PURE: Final = names(
    """
    anyarray_out anycompatiblearray_out anycompatiblemultirange_out anycompatiblerange_out
    anyenum_out anymultirange_out anyrange_out anyarray_recv anyarray_send
    anycompatiblearray_recv anycompatiblearray_send
    array_out array_recv array_send bpcharrecv bpcharsend cash_in cash_out cstring_recv
    cstring_send date_out enum_in enum_out enum_recv enum_send interval_in interval_out
    multirange_out multirange_recv multirange_send namerecv namesend range_out range_recv
    range_send record_out record_recv record_send textrecv textsend time_out timestamp_out
    timestamptz_out timetz_out varcharrecv varcharsend xml_in xml_recv xml_send domain_recv

    anytextcat textanycat concat concat_ws format quote_literal quote_nullable length
    convert convert_from convert_to getdatabaseencoding pg_client_encoding
    money numeric to_number to_char to_date to_timestamp array_to_string
    date date_part date_trunc extract make_timestamptz overlaps time timestamp timestamptz
    timetz timezone generate_series in_range date_add date_subtract
    interval_pl_timestamptz timestamptz_pl_interval timestamptz_mi_interval
    date_cmp_timestamptz date_eq_timestamptz date_ge_timestamptz date_gt_timestamptz
    date_le_timestamptz date_lt_timestamptz date_ne_timestamptz
    timestamp_cmp_timestamptz timestamp_eq_timestamptz timestamp_ge_timestamptz
    timestamp_gt_timestamptz timestamp_le_timestamptz timestamp_lt_timestamptz
    timestamp_ne_timestamptz timestamptz_cmp_date timestamptz_cmp_timestamp
    timestamptz_eq_date timestamptz_eq_timestamp timestamptz_ge_date timestamptz_ge_timestamp
    timestamptz_gt_date timestamptz_gt_timestamp timestamptz_le_date timestamptz_le_timestamp
    timestamptz_lt_date timestamptz_lt_timestamp timestamptz_ne_date timestamptz_ne_timestamp
    enum_first enum_last enum_range

    array_to_json row_to_json to_json to_jsonb json_build_array json_build_object
    jsonb_build_array jsonb_build_object
    json_to_record json_to_recordset jsonb_to_record jsonb_to_recordset
    json_agg json_agg_transfn json_agg_strict json_agg_strict_transfn json_object_agg
    json_object_agg_transfn json_object_agg_strict json_object_agg_strict_transfn
    json_object_agg_unique json_object_agg_unique_transfn json_object_agg_unique_strict
    json_object_agg_unique_strict_transfn
    jsonb_agg jsonb_agg_transfn jsonb_agg_strict jsonb_agg_strict_transfn jsonb_agg_finalfn
    jsonb_object_agg jsonb_object_agg_transfn jsonb_object_agg_finalfn jsonb_object_agg_strict
    jsonb_object_agg_strict_transfn jsonb_object_agg_unique jsonb_object_agg_unique_transfn
    jsonb_object_agg_unique_strict jsonb_object_agg_unique_strict_transfn
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery
    json_to_tsvector jsonb_to_tsvector ts_headline ts_match_tq ts_match_tt
    xml xml_is_well_formed
    """
)

# Declared IMMUTABLE, although they read catalogs or know the timeline.
LIARS: Final = names(
    "pg_partition_root satisfies_hash_partition pg_walfile_name pg_walfile_name_offset"
)

# The transaction's or the statement's time; input functions, because of 'now' and 'today', and
# what calls them for a row type; what gives a time of day the zone's offset of today.
CLOCKS: Final = names(
    """
    now transaction_timestamp statement_timestamp age
    json_populate_record json_populate_recordset jsonb_populate_record jsonb_populate_recordset
    jsonb_populate_record_valid
    jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_array_tz
    jsonb_path_query_first_tz jsonb_path_query_tz
    date_in time_in timetz_in timestamp_in timestamptz_in array_in domain_in record_in range_in
    multirange_in anycompatiblerange_in anycompatiblemultirange_in anyrange_in anymultirange_in
    """
)

# Who and where: the key holds the user, the role, the database and the search path (P2).
# current_schemas is not among them: it tells whether the session ever had temporary objects.
IDENTITIES: Final = names("current_user session_user getpgusername current_database current_schema")

CURRENT_SETTING: Final = "current_setting"
CURRENT_SETTING_OIDS: Final = frozenset({2077, 3294})  # stable since PostgreSQL 9.6

# age(xid) reads the transaction counter. A call by name cannot tell it from age(timestamp), so
# that overload is left out by name, and the type xid is refused (``datatypes.py``).
XID_OID: Final = 28

# The same with a zone's name and timetz, which reads today's date: ``hidden_clock.py`` looks for
# AT TIME ZONE and timezone() beside times of day. time to timetz reads it, too.
TIME_OID: Final = 1083
TIMETZ_OID: Final = 1266

INTERNAL_OID: Final = 2281

# STABLE, but about the session rather than the catalogs: only the wording differs.
_SESSION: Final = names(
    """
    pg_backend_pid inet_client_addr inet_client_port inet_server_addr inet_server_port version
    txid_current txid_current_if_assigned txid_current_snapshot pg_current_xact_id
    pg_current_xact_id_if_assigned pg_current_snapshot pg_trigger_depth pg_my_temp_schema
    pg_is_other_temp_schema pg_listening_channels pg_cursor pg_prepared_statement system_user
    current_schemas pg_show_all_settings pg_postmaster_start_time pg_conf_load_time mxid_age
    """
)

# Run SQL that the text does not show; table_to_xml and kin may read a view that writes.
_RUNS_SQL: Final = names(
    """
    query_to_xml query_to_xml_and_xmlschema query_to_xmlschema cursor_to_xml cursor_to_xmlschema
    ts_stat ts_rewrite table_to_xml table_to_xml_and_xmlschema table_to_xmlschema
    schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema
    database_to_xml database_to_xml_and_xmlschema database_to_xmlschema
    """
)
_SETS: Final = names("set_config pg_reload_conf")

# VOLATILE without changing a relation that may be cached: sequences, large objects, system
# catalogs, files and statistics are never read from the cache, locks and sleeps change nothing.
_HARMLESS: Final = names(
    """
    random random_normal setseed gen_random_uuid uuidv4 uuidv7 array_shuffle array_sample
    clock_timestamp timeofday current_query nextval setval currval lastval currtid2
    loread lowrite txid_status unique_key_recheck
    brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list
    suppress_redundant_updates_trigger tsvector_update_trigger tsvector_update_trigger_column
    """
)
_HARMLESS_PREFIXES: Final = (
    "lo_",
    "pg_advisory_",
    "pg_try_advisory_",
    "pg_backup_",
    "pg_control_",
    "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_create_",
    "pg_current_",
    "pg_drop_replication_slot",
    "pg_get_",
    "pg_is_",
    "pg_last_",
    "pg_log_",
    "pg_logical_",
    "pg_ls_",
    "pg_read_",
    "pg_replication_",
    "pg_rotate_",
    "pg_sleep",
    "pg_stat_",
    "pg_wal_",
    "pg_xact_",
    "RI_FKey_",
)
_HARMLESS_MORE: Final = names(
    """
    pg_blocking_pids pg_cancel_backend pg_collation_actual_version pg_database_size
    pg_database_collation_actual_version pg_export_snapshot pg_hba_file_rules
    pg_ident_file_mappings pg_indexes_size pg_isolation_test_session_is_blocked pg_jit_available
    pg_lock_status pg_notification_queue_usage pg_notify pg_partition_ancestors
    pg_partition_tree pg_prepared_xact pg_relation_size pg_safe_snapshot_blocking_pids
    pg_sequence_last_value pg_show_all_file_settings pg_show_replication_origin_status
    pg_switch_wal pg_table_size pg_tablespace_size pg_terminate_backend pg_total_relation_size
    pg_available_wal_summaries pg_wal_summary_contents
    """
)


# Spelled like calls, but the grammar's own: no row in pg_proc by that name, or none needed.
GRAMMAR: Final = names(
    """
    coalesce nullif greatest least grouping row array exists cast extract overlay position
    substring trim treat normalize collation any some all in values not and or case when between
    unnest rows xmlagg xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi
    xmlroot xmlserialize xmltable json json_array json_arrayagg json_exists json_object
    json_objectagg json_query json_scalar json_serialize json_table json_value merge_action
    current_catalog user current_role
    """
)
# Grammar keywords of the clock that may carry a precision in parentheses (C-13).
GRAMMAR_CLOCKS: Final = names(
    "current_date current_time current_timestamp localtime localtimestamp"
)


def judge_builtin(name: str, volatility: str, args: tuple[int, ...] = ()) -> FunctionVerdict:
    """The verdict on one function of pg_catalog, called with whatever arguments."""
    if volatility == "i":
        if name in LIARS:
            return FunctionVerdict(refusal=Refusal(Reason.CATALOG_FUNCTION, name))
        return SAFE
    if volatility == "s":
        return _judge_stable(name, args)
    if INTERNAL_OID in args:
        # Only PostgreSQL itself calls these: handlers of index methods and of TABLESAMPLE.
        return FunctionVerdict(refusal=Refusal(Reason.VOLATILE_FUNCTION, name))
    may_set = name in _SETS
    return FunctionVerdict(
        refusal=Refusal(Reason.VOLATILE_FUNCTION, name),
        may_write=not may_set and not _is_harmless(name),
        may_set=may_set or not _is_known(name),
        locks=name.startswith(("pg_advisory_", "pg_try_advisory_")),
    )


def _judge_stable(name: str, args: tuple[int, ...]) -> FunctionVerdict:
    if name in CLOCKS and args != (XID_OID,):
        return CLOCK
    if (name == "timetz" and args == (TIME_OID,)) or (name == "timezone" and TIMETZ_OID in args):
        return CLOCK
    if name in PURE or name in IDENTITIES or name == CURRENT_SETTING:
        return SAFE
    reason = Reason.SESSION_FUNCTION if name in _SESSION else Reason.CATALOG_FUNCTION
    return FunctionVerdict(refusal=Refusal(reason, name), may_write=name in _RUNS_SQL)


def _is_harmless(name: str) -> bool:
    return (
        name in _HARMLESS or name in _HARMLESS_MORE or name.startswith(_HARMLESS_PREFIXES)
    ) and name not in _RUNS_SQL


def _is_known(name: str) -> bool:
    return _is_harmless(name) or name in _RUNS_SQL or name in _SETS
