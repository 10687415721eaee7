-- The role that pgcache reads the system catalogs with. It needs nothing but to log in.
CREATE ROLE pgcache LOGIN PASSWORD 'catalogs-only';
