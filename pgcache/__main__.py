"""``python -m pgcache`` is the command ``pgcache``."""

from __future__ import annotations

import sys

from pgcache.cli import main

if __name__ == "__main__":
    sys.exit(main())
