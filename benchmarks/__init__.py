"""What pgcache costs and what it saves, measured; ``make bench-quick`` and ``make bench-micro``."""
