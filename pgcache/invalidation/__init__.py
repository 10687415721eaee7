"""How pgcache learns that data changed, and when it says so to the generations."""
