"""Message type bytes, as small ints, and the constant messages that never change.

Source: PostgreSQL documentation, "Message Formats".
"""

from __future__ import annotations

from typing import Final

# Client messages.
BIND: Final = ord("B")
CLOSE: Final = ord("C")
COPY_DATA: Final = ord("d")  # both directions
COPY_DONE: Final = ord("c")  # both directions
COPY_FAIL: Final = ord("f")
DESCRIBE: Final = ord("D")
EXECUTE: Final = ord("E")
FLUSH: Final = ord("H")
FUNCTION_CALL: Final = ord("F")
PARSE: Final = ord("P")
PASSWORD: Final = ord("p")  # also SASLInitialResponse, SASLResponse, GSSResponse: by context
QUERY: Final = ord("Q")
SYNC: Final = ord("S")
TERMINATE: Final = ord("X")

CLIENT_TYPES: Final = frozenset(b"BCcdDEfFHPpQSX")

# Origin messages.
AUTHENTICATION: Final = ord("R")
BACKEND_KEY_DATA: Final = ord("K")
BIND_COMPLETE: Final = ord("2")
CLOSE_COMPLETE: Final = ord("3")
COMMAND_COMPLETE: Final = ord("C")
COPY_BOTH_RESPONSE: Final = ord("W")
COPY_IN_RESPONSE: Final = ord("G")
COPY_OUT_RESPONSE: Final = ord("H")
DATA_ROW: Final = ord("D")
EMPTY_QUERY_RESPONSE: Final = ord("I")
ERROR_RESPONSE: Final = ord("E")
FUNCTION_CALL_RESPONSE: Final = ord("V")
NEGOTIATE_PROTOCOL_VERSION: Final = ord("v")
NO_DATA: Final = ord("n")
NOTICE_RESPONSE: Final = ord("N")
NOTIFICATION_RESPONSE: Final = ord("A")
PARAMETER_DESCRIPTION: Final = ord("t")
PARAMETER_STATUS: Final = ord("S")
PARSE_COMPLETE: Final = ord("1")
PORTAL_SUSPENDED: Final = ord("s")
READY_FOR_QUERY: Final = ord("Z")
ROW_DESCRIPTION: Final = ord("T")

# Transaction status in ReadyForQuery.
IDLE: Final = ord("I")
IN_TRANSACTION: Final = ord("T")
FAILED: Final = ord("E")

MSG_PARSE_COMPLETE: Final = b"1\x00\x00\x00\x04"
MSG_BIND_COMPLETE: Final = b"2\x00\x00\x00\x04"
MSG_CLOSE_COMPLETE: Final = b"3\x00\x00\x00\x04"
MSG_NO_DATA: Final = b"n\x00\x00\x00\x04"
MSG_PORTAL_SUSPENDED: Final = b"s\x00\x00\x00\x04"
MSG_SYNC: Final = b"S\x00\x00\x00\x04"
MSG_TERMINATE: Final = b"X\x00\x00\x00\x04"
MSG_READY: Final = {
    IDLE: b"Z\x00\x00\x00\x05I",
    IN_TRANSACTION: b"Z\x00\x00\x00\x05T",
    FAILED: b"Z\x00\x00\x00\x05E",
}
