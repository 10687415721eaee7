"""Bytes: framing, messages, the ledger of owed replies, statements and portals, startup.

Standard library only; no SQL, no sockets. Protocol facts: PostgreSQL documentation, chapter
"Frontend/Backend Protocol".
"""
