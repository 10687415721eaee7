"""What is known of functions in PostgreSQL's own extensions and a few widespread ones.

Without this, a table whose key defaults to uuid_generate_v4() would flush everything with each
row, and pg_trgm would make every ``%`` unsafe. A function counts by its name and the extension
that it is a member of, never by its name alone. Counterpart: ``builtins.py``. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pgcache.catalog.builtins import SAFE, names
from pgcache.catalog.model import FunctionVerdict
from pgcache.errors.reasons import Reason, Refusal

# STABLE because of dictionaries (schema epoch).
_PURE: Final[Mapping[str, frozenset[str]]] = {"unaccent": names("unaccent")}

# STABLE because of a setting of the extension's own. No session has it in its key unless asked
# for it: the startup packet, ALTER ROLE and ALTER DATABASE may have set it (S-02).
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "pg_trgm": {
        "similarity_op": "pg_trgm.similarity_threshold",
        "show_limit": "pg_trgm.similarity_threshold",
        "word_similarity_op": "pg_trgm.word_similarity_threshold",
        "word_similarity_commutator_op": "pg_trgm.word_similarity_threshold",
        "strict_word_similarity_op": "pg_trgm.strict_word_similarity_threshold",
        "strict_word_similarity_commutator_op": "pg_trgm.strict_word_similarity_threshold",
    }
}

# VOLATILE, but changing no relation.
_HARMLESS: Final[Mapping[str, frozenset[str]]] = {
    "uuid-ossp": names("uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4"),
    "pgcrypto": names(
        """
        gen_random_uuid gen_random_bytes gen_salt pgp_sym_encrypt pgp_sym_encrypt_bytea
        pgp_pub_encrypt pgp_pub_encrypt_bytea
        """
    ),
    "tablefunc": names("normal_rand"),
}

# STABLE, but they run SQL given as text.
_RUNS_SQL: Final[Mapping[str, frozenset[str]]] = {
    "tablefunc": names("crosstab crosstab2 crosstab3 crosstab4 connectby"),
    "xml2": names("xpath_table"),
}

# Trigger functions that change nothing but the row at hand (C-32).
_TRIGGERS: Final[Mapping[str, frozenset[str]]] = {
    "": names(
        """
        suppress_redundant_updates_trigger tsvector_update_trigger tsvector_update_trigger_column
        unique_key_recheck
        """
    ),
    "autoinc": names("autoinc"),
    "insert_username": names("insert_username"),
    "lo": names("lo_manage"),
    "moddatetime": names("moddatetime"),
    "tcn": names("triggered_change_notification"),
}


def judge_extension(extension: str, name: str, display: str) -> FunctionVerdict | None:
    """The verdict on a function of an extension; None where its volatility has to do."""
    if name in _PURE.get(extension, ()):
        return SAFE
    setting = _SETTINGS.get(extension, {}).get(name)
    if setting is not None:
        return FunctionVerdict(settings=frozenset({setting}))
    if name in _HARMLESS.get(extension, ()):
        return FunctionVerdict(refusal=Refusal(Reason.VOLATILE_FUNCTION, display))
    if name in _RUNS_SQL.get(extension, ()):
        return FunctionVerdict(refusal=Refusal(Reason.USER_FUNCTION, display), may_write=True)
    return None


def is_harmless_trigger(extension: str, name: str) -> bool:
    """Whether a trigger function changes only its row; extension '' is PostgreSQL itself."""
    return name in _TRIGGERS.get(extension, ())
