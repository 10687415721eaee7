-- DDL, privileges, and statements about the session itself (C-40, C-21, S-09).

-- CREATE TABLE
-- changes: everything
-- also: schema
create table t (id int)

-- CREATE TABLE AS
-- changes: everything
-- also: schema
create table t as select * from orders

-- CREATE TABLE AS a query that may write
-- changes: everything
-- also: schema, pins, taints, temporary
create table t as select tools.place_order(1)

-- SELECT INTO
-- changes: everything
-- also: schema
select * into t from orders

-- S-09: CREATE TEMP TABLE
-- changes: nothing
-- also: temporary
create temp table t (id int)

-- S-09: CREATE TEMPORARY TABLE AS
-- changes: nothing
-- also: temporary
create local temporary table if not exists t as select * from orders

-- S-09: CREATE TEMP VIEW and TEMP SEQUENCE
-- changes: nothing
-- also: temporary
create or replace temp view v as select * from orders

-- S-09: SELECT INTO TEMP
-- changes: nothing
-- also: temporary
select * into temp t from orders

-- S-09: by the schema's name
-- changes: everything
-- also: schema, temporary
create table pg_temp.t (id int)

-- S-09: a permanent table that mentions a temporary one
-- changes: everything
-- also: schema, temporary
create table t (like pg_temp.u)

-- CREATE VIEW
-- changes: everything
-- also: schema
create view v as select * from orders

-- CREATE OR REPLACE VIEW
-- changes: everything
-- also: schema
create or replace view paid_orders as select * from orders

-- CREATE MATERIALIZED VIEW
-- changes: everything
-- also: schema
create materialized view m as select * from orders with no data

-- CREATE INDEX
-- changes: everything
-- also: schema
create unique index concurrently i on orders (customer_id)

-- CREATE FUNCTION
-- changes: everything
-- also: schema
create function f() returns int language sql as 'select 1'

-- CREATE TRIGGER
-- changes: everything
-- also: schema
create trigger t after insert on orders for each row execute function audit.note()

-- CREATE POLICY
-- changes: everything
-- also: schema
create policy p on orders using (true)

-- CREATE RULE
-- changes: everything
-- also: schema
create rule r as on insert to orders do also (delete from refunds; delete from regions)

-- CREATE TYPE, DOMAIN, EXTENSION, SCHEMA …
-- changes: everything
-- also: schema
create type colour as enum ('red')

-- CREATE DOMAIN
-- changes: everything
-- also: schema
create domain d as int

-- CREATE EXTENSION
-- changes: everything
-- also: schema
create extension citext

-- CREATE SCHEMA
-- changes: everything
-- also: schema
create schema s

-- CREATE ROLE
-- changes: everything
-- also: schema
create role r

-- ALTER TABLE
-- changes: everything
-- also: schema
alter table orders add column x int

-- ALTER TABLE RENAME
-- changes: everything
-- also: schema
alter table orders rename to archived

-- ALTER TABLE ATTACH PARTITION
-- changes: everything
-- also: schema
alter table measurements attach partition p for values from ('2025-01-01') to ('2026-01-01')

-- ALTER TYPE RENAME VALUE changes the text of rows
-- changes: everything
-- also: schema
alter type mood rename value 'ok' to 'fine'

-- ALTER ROLE
-- changes: everything
-- also: schema
alter role app bypassrls

-- ALTER DATABASE SET
-- changes: everything
-- also: schema
alter database postgres set timezone to 'UTC'

-- ALTER SYSTEM
-- changes: everything
-- also: schema
alter system set work_mem = '8MB'

-- ALTER DEFAULT PRIVILEGES
-- changes: everything
-- also: schema
alter default privileges grant select on tables to public

-- DROP TABLE
-- changes: everything
-- also: schema
drop table if exists orders cascade

-- DROP VIEW
-- changes: everything
-- also: schema
drop view paid_orders

-- DROP OWNED
-- changes: everything
-- also: schema
drop owned by app

-- GRANT
-- changes: everything
-- also: schema
grant select on orders to public

-- REVOKE
-- changes: everything
-- also: schema
revoke all on orders from public

-- REASSIGN OWNED
-- changes: everything
-- also: schema
reassign owned by a to b

-- IMPORT FOREIGN SCHEMA
-- changes: everything
-- also: schema
import foreign schema public from server elsewhere into public

-- SECURITY LABEL
-- changes: everything
-- also: schema
security label on table orders is 'x'

-- COMMENT
-- changes: nothing
comment on table orders is 'all of them'

-- REINDEX
-- changes: public.orders
-- also: commits
reindex table orders

-- a statement that nobody knows
-- changes: everything
-- also: schema, commits, pins, taints, temporary
frobnicate the orders

-- BEGIN
-- changes: nothing
begin isolation level read committed read only

-- COMMIT
-- changes: nothing
commit and chain

-- ROLLBACK
-- changes: nothing
rollback

-- SAVEPOINT
-- changes: nothing
savepoint s

-- RELEASE
-- changes: nothing
release s

-- ROLLBACK TO
-- changes: nothing
rollback to savepoint s

-- PREPARE TRANSACTION
-- changes: nothing
prepare transaction 'x'

-- T-16: COMMIT PREPARED, unless somebody remembers what it wrote
-- changes: everything
-- also: schema
commit prepared 'x'

-- ROLLBACK PREPARED
-- changes: nothing
rollback prepared 'x'

-- SET
-- changes: nothing
set search_path to sales

-- SET LOCAL
-- changes: nothing
set local timezone to 'UTC'

-- SET ROLE
-- changes: nothing
set role alice

-- SET TRANSACTION
-- changes: nothing
set transaction isolation level serializable

-- RESET
-- changes: nothing
reset all

-- SHOW
-- changes: nothing
show search_path

-- DISCARD
-- changes: nothing
discard all

-- LISTEN
-- changes: nothing
listen changes

-- UNLISTEN
-- changes: nothing
unlisten *

-- NOTIFY
-- changes: nothing
notify changes, 'x'

-- CLOSE
-- changes: nothing
close all
