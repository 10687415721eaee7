"""The upstream URL in asyncpg's words, for the service role's connections.

Counterpart: ``config/origin.py`` understood the URL; ``connect.py`` takes these options. TLS modes
and files go into asyncpg's own URL parameters, which have libpq's meaning.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from pgcache.config import Origin


def build_options(origin: Origin) -> dict[str, Any]:
    """Keyword arguments for ``connect.build_connect``; the database is named there later."""
    parameters = {
        "sslmode": "disable" if origin.is_unix else origin.sslmode.value,
        "sslrootcert": origin.sslrootcert,
        "sslcert": origin.sslcert,
        "sslkey": origin.sslkey,
    }
    given = {name: value for name, value in parameters.items() if value}
    return {
        "dsn": f"postgresql://?{urlencode(given)}",
        "host": origin.host,
        "port": origin.port,
        "user": origin.user,
        # an empty one keeps asyncpg from looking for another: that has been done
        "password": origin.secret or "",
        "login_limit": origin.connect_timeout,
    }
