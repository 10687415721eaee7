-- What statements change: the results over these relations are dropped (C-30 to C-35).

-- INSERT
-- changes: public.regions
insert into regions values (1, 'north')

-- INSERT with columns
-- changes: public.regions
insert into regions (id, name) values (1, 'north'), (2, 'south')

-- INSERT from a query: what is read is not changed
-- changes: public.regions
insert into regions (id, name) select id, name from customers

-- INSERT from a query in parentheses
-- changes: public.regions
insert into regions (select id, name from customers)

-- INSERT … ON CONFLICT
-- changes: public.regions
insert into regions as r (id, name) values (1, 'north') on conflict (id) do update set (id, name) = (excluded.id, lower(excluded.name)) where r.id > 0 returning r.id

-- INSERT of random() and nextval()
-- changes: public.regions
insert into regions values (nextval('ticket_numbers'), random()::text)

-- INSERT of now()
-- changes: public.events
insert into events (id, at) values (1, now())

-- INSERT … DEFAULT VALUES
-- changes: public.metrics
insert into metrics default values

-- INSERT by schema
-- changes: sales.targets
insert into sales.targets values ('north', '2024-01-01', 5)

-- INSERT through the path: every table that may be meant
-- path: sales, public
-- changes: sales.orders, public.orders, public.order_items
insert into orders (id) values (1)

-- INSERT into an unknown table
-- changes: everything
insert into nothing_here values (1)

-- S-09: INSERT into a temporary table, which may have triggers
-- changes: everything
insert into pg_temp.t values (1)

-- INSERT that calls a user's function
-- changes: everything
-- also: schema, pins, taints, temporary
insert into regions values (1, tools.login('x')::text)

-- INSERT that calls a user's IMMUTABLE function
-- changes: public.refunds
insert into refunds values (1, 1, tools.add_tax(5))

-- UPDATE
-- changes: public.order_items
update order_items set quantity = 3 where id = 1

-- UPDATE … FROM
-- changes: public.order_items
update only order_items as i set quantity = 3 from orders o where o.id = i.order_id

-- UPDATE with a subquery and a row
-- changes: public.products
update products set (name, price) = (select 'x', 1) where id in (select product_id from order_items)

-- C-32: UPDATE of a key that others follow
-- changes: public.orders, public.order_items
update orders set id = 2 where id = 1

-- C-32: DELETE cascades
-- changes: public.customers, public.orders, public.order_items
delete from customers where id = 1

-- C-32: DELETE does not cascade without ON DELETE CASCADE
-- changes: public.regions
delete from regions

-- DELETE … USING
-- changes: public.refunds
delete from refunds using orders o where o.id = refunds.order_id

-- DELETE … WHERE CURRENT OF
-- changes: public.refunds
delete from refunds where current of c

-- MERGE
-- changes: public.products
merge into products p using order_items i on p.id = i.product_id when matched then update set price = i.price when not matched then insert (id, price) values (i.product_id, i.price)

-- MERGE that deletes
-- changes: public.products
merge into products as p using (select 1 as id) s on p.id = s.id when matched then delete

-- TRUNCATE
-- changes: public.refunds
truncate refunds

-- TRUNCATE several
-- changes: public.refunds, public.metrics
truncate table refunds, metrics restart identity

-- C-32: TRUNCATE … CASCADE
-- changes: public.customers, public.orders, public.order_items, public.refunds
truncate customers cascade

-- C-20: a write to a partition changes its parents
-- changes: public.measurements, public.measurements_2023
insert into measurements_2023 values ('2023-05-05', 'rome', 3)

-- C-20: a write to a partitioned table changes its partitions
-- changes: public.measurements, public.measurements_2023, public.measurements_2024, public.measurements_2024_berlin
insert into measurements values ('2023-05-05', 'rome', 3)

-- C-20: inheritance, from the child
-- changes: public.vehicles, public.cars
update cars set doors = 4

-- C-20: inheritance, from the parent
-- changes: public.vehicles, public.cars
delete from vehicles

-- C-32: an updatable view
-- changes: public.paid_orders, public.orders, public.order_items
delete from paid_orders where id = 1

-- C-32: INSTEAD OF triggers
-- changes: everything
-- also: schema, taints, temporary
insert into instead values (1)

-- C-32: a trigger whose function is not declared
-- changes: everything
-- also: schema, taints, temporary
update accounts set balance = 0

-- C-32: the same table, but its trigger does not fire on this
-- changes: everything
-- also: schema, taints, temporary
delete from accounts

-- C-32: a trigger whose function is declared
-- changes: public.tallies, audit.log
insert into tallies values (1, 1)

-- C-32: rules
-- changes: everything
-- also: schema, taints, temporary
insert into copied values (1)

-- C-34: unlogged tables
-- changes: public.scratch
insert into scratch values (1, 'x')

-- a table with row security
-- changes: public.documents
insert into documents values (1, 'a', 'b')

-- C-31: a write in WITH
-- changes: public.refunds
with gone as (delete from refunds returning *) select * from gone

-- C-31: several writes in WITH
-- changes: public.refunds, public.regions
with a as (delete from refunds returning *), b as (insert into regions values (1, 'x') returning *) select * from a, b

-- C-31: a write in WITH before a write
-- changes: public.refunds, public.regions
with gone as (delete from refunds returning id) insert into regions select id, 'x' from gone

-- C-31: COPY FROM
-- changes: public.regions
copy regions from stdin

-- C-31: COPY FROM with columns and a condition
-- changes: public.regions
copy regions (id, name) from '/tmp/x' with (format csv) where id > 3

-- C-31: COPY FROM PROGRAM
-- changes: public.regions
copy regions from program 'cat'

-- C-31: COPY of a write's rows
-- changes: public.regions
copy (delete from regions returning *) to stdout

-- COPY of a table
-- changes: nothing
copy regions to stdout

-- COPY of a query
-- changes: nothing
copy (select * from orders) to stdout with csv header

-- C-31: COPY of a query that may write
-- changes: everything
-- also: schema, pins, taints, temporary
copy (select tools.place_order(1)) to stdout

-- C-31: EXPLAIN ANALYZE runs what it explains
-- changes: public.refunds
explain analyze delete from refunds

-- C-31: EXPLAIN (ANALYZE) as well
-- changes: public.refunds
explain (costs off, analyze true) delete from refunds

-- EXPLAIN alone does not
-- changes: nothing
explain delete from refunds

-- EXPLAIN (ANALYZE false) does not either
-- changes: nothing
explain (analyze false) delete from refunds

-- EXPLAIN ANALYZE of a read
-- changes: nothing
explain analyze select * from orders

-- PREPARE runs nothing
-- changes: nothing
prepare p as delete from refunds

-- EXECUTE of who knows what
-- changes: everything
-- also: schema, commits, pins, taints, temporary
execute p (1)

-- DEALLOCATE
-- changes: nothing
deallocate all

-- DECLARE over a read
-- changes: nothing
declare c cursor for select * from orders

-- C-31: DECLARE over a query that may write
-- changes: everything
-- also: schema, pins, taints, temporary
declare c cursor for select tools.place_order(1)

-- DECLARE … FOR UPDATE takes locks
-- changes: nothing
-- also: pins
declare c cursor for select * from orders for update

-- FETCH
-- changes: nothing
fetch all from c

-- C-31: CALL
-- changes: everything
-- also: schema, commits, pins, taints, temporary
call tools.nightly()

-- C-31: DO
-- changes: everything
-- also: schema, commits, pins, taints, temporary
do $$ begin perform 1; end $$

-- C-18: REFRESH
-- changes: public.order_totals
refresh materialized view order_totals

-- C-18: REFRESH CONCURRENTLY
-- changes: public.order_totals
refresh materialized view concurrently public.order_totals with data

-- C-35: VACUUM FULL
-- changes: public.metrics
-- also: commits
vacuum full metrics

-- C-35: VACUUM of everything
-- changes: everything
-- also: commits
vacuum

-- C-35: CLUSTER
-- changes: public.products
-- also: commits
cluster products using products_pkey

-- ANALYZE
-- changes: nothing
analyze orders

-- CHECKPOINT
-- changes: nothing
checkpoint

-- LOAD brings code
-- changes: everything
-- also: schema, commits, pins, taints, temporary
load 'auto_explain'

-- T-20: LOCK
-- changes: nothing
-- also: pins
lock table orders in exclusive mode

-- T-20: row locks
-- changes: nothing
-- also: pins
select * from orders where id = 1 for update

-- T-20: a view may take row locks
-- changes: nothing
-- also: pins
select * from locked_orders

-- T-20: advisory locks
-- changes: nothing
-- also: pins
select pg_advisory_xact_lock(1)

-- T-20: trying is locking
-- changes: nothing
-- also: pins
select pg_try_advisory_lock(1, 2), id from orders

-- a read changes nothing
-- changes: nothing
select * from orders where total > 10

-- a read of random() changes nothing
-- changes: nothing
select random(), nextval('ticket_numbers'), pg_sleep(0), count(*) from orders

-- a read of the catalogs changes nothing
-- changes: nothing
select version(), pg_backend_pid(), current_setting('x', true), * from pg_class, information_schema.schemata

-- a read that cannot be parsed changes nothing
-- changes: nothing
select from from

-- a read of STABLE and IMMUTABLE functions changes nothing
-- changes: nothing
select tools.region_of(id), tools.add_tax(1) from orders

-- C-31: a read that calls a VOLATILE function
-- changes: everything
-- also: schema, pins, taints, temporary
select tools.place_order(1)

-- C-31: the same in a condition
-- changes: everything
-- also: schema, pins, taints, temporary
select * from orders where id = tools.place_order(id)

-- C-31: the same through the path
-- path: public, tools
-- changes: everything
-- also: schema, pins, taints, temporary
select login('x')

-- C-31: a function that nobody knows
-- changes: everything
-- also: schema, pins, taints, temporary
select no_such_function(1)

-- C-31: a function that runs SQL
-- changes: everything
-- also: taints
select query_to_xml('delete from orders', true, true, '')

-- S-07: set_config changes settings
-- changes: nothing
-- also: taints
select set_config('app.tenant', 'x', false)

-- large objects
-- changes: nothing
select lo_unlink(5)

-- pg_notify
-- changes: nothing
select pg_notify('a', 'b')
