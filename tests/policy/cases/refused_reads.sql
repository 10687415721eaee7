-- Queries that are left to PostgreSQL, and why.

-- W-70: health probes
-- bypass: no-table
select 1

-- W-70: with a function
-- bypass: no-table
select version()

-- W-70: with a name
-- bypass: no-table
select 1 as "ok", 'x' as name

-- W-70: VALUES
-- bypass: no-table
values (1), (2)

-- W-70: a set of rows from a function
-- bypass: no-table
select * from generate_series(1, 10) g

-- W-70: WITH over constants
-- bypass: no-table
with a as (select 1) select * from a

-- C-10: row locks
-- bypass: row-lock
select * from orders where id = 1 for update

-- C-10: weaker row locks
-- bypass: row-lock
select * from orders for no key update of orders nowait

-- C-10: shared row locks
-- bypass: row-lock
select * from orders for share skip locked

-- C-10: the weakest row locks
-- bypass: row-lock
select * from orders for key share

-- C-10: row locks in a subquery
-- bypass: row-lock
select * from (select * from orders for update) o

-- C-10: row locks in WITH
-- bypass: row-lock
with o as (select * from orders for update) select * from o

-- C-10: row locks in a view
-- bypass: view-definition
select * from locked_orders

-- C-16: TABLESAMPLE in a view
-- bypass: view-definition
select * from sampled_orders

-- C-16: system columns in a view
-- bypass: view-definition
select * from placed_orders

-- C-10: SELECT INTO
-- bypass: not-a-select
select * into copies from orders

-- C-10: a write in WITH
-- bypass: not-a-select
with gone as (delete from orders returning *) select * from gone

-- C-16: TABLESAMPLE
-- bypass: tablesample
select * from orders tablesample bernoulli (10)

-- C-16: TABLESAMPLE, repeatable
-- bypass: tablesample
select * from orders tablesample system (10) repeatable (1)

-- C-16: ctid
-- bypass: system-column ctid
select ctid, * from orders

-- C-16: xmin, qualified and quoted
-- bypass: system-column xmin
select o."xmin" from orders o

-- C-16: cmax in a condition
-- bypass: system-column cmax
select * from orders where cmax = '0'

-- C-16: a system catalog
-- bypass: system-catalog
select * from pg_class

-- C-16: a system catalog, qualified
-- bypass: system-catalog
select relname from pg_catalog.pg_class

-- C-16: a system view
-- bypass: system-catalog
select * from pg_stat_activity

-- C-16: information_schema
-- bypass: system-catalog
select * from information_schema.tables

-- C-16: a catalog beside a table
-- bypass: system-catalog
select * from orders, pg_settings

-- C-16: a view over a catalog
-- bypass: system-catalog
select * from table_list

-- C-16: a foreign table
-- bypass: foreign-table
select * from remote_orders

-- C-16: a sequence
-- bypass: sequence
select last_value from ticket_numbers

-- S-09: temporary tables by name
-- bypass: temporary-table pg_temp.t
select * from pg_temp.t

-- a table that is not there
-- bypass: unknown-relation nothing_here
select * from nothing_here

-- a schema that is not there
-- bypass: unknown-relation nowhere.orders
select * from nowhere.orders

-- C-17: a view that calls a volatile function
-- bypass: view-definition
select * from lucky_orders

-- C-19: a policy that calls a volatile function
-- bypass: row-security-policy
select * from secrets

-- C-17: a view of no table at all
-- cached: public.constants
select * from constants

-- syntax errors are PostgreSQL's to tell
-- bypass: parse-error
select * from orders where

-- an unfinished literal
-- bypass: parse-error
select * from orders where status = 'paid

-- parentheses that do not match
-- bypass: parse-error
select (id from orders

-- syntax that is not known to be safe
-- bypass: unknown-syntax
select * from orders o, json_table(o.attributes, '$[*]' columns (a int path '$.a')) j

-- XMLTABLE
-- bypass: unknown-syntax
select * from orders o, xmltable('/a' passing o.note columns x int path 'x') t

-- C-15: an operator in a schema of its own
-- bypass: user-operator tools.<~>
select * from orders where id operator(tools.<~>) 5

-- C-15: an operator whose function reads tables
-- path: public, tools
-- bypass: user-operator =~=
select * from orders where id =~= 5

-- C-15: an operator whose function is IMMUTABLE
-- path: public, tools
-- cached: public.orders
select * from orders where id <~> 5

-- C-15: an operator of pg_catalog by its full name
-- cached: public.orders
select * from orders where id operator(pg_catalog.=) 5

-- EXPLAIN
-- bypass: not-a-select
explain select * from orders

-- SHOW
-- bypass: not-a-select
show search_path

-- COPY
-- bypass: not-a-select
copy orders to stdout

-- FETCH
-- bypass: not-a-select
fetch 10 from c
