-- Queries over tables that are cached, and what they then depend on.
--
-- How to read and extend these files: cases are parted by empty lines. The first line of a case is
-- its title, the next ones say what is expected, then comes the statement. The schema is
-- ../schema.sql. What can be expected:
--     -- cached: relations that the result depends on; "clock" if it also depends on the time
--     -- bypass: reason code, and the detail where it matters
--     -- changes: relations that the statement may change, or: everything, or: nothing
--     -- also: schema, commits, pins, taints, temporary (with "changes")
--     -- path: the search_path, if it is not just public

-- one table
-- cached: public.orders
select * from orders

-- a schema in the text
-- cached: sales.orders
select * from sales.orders

-- the database in the text
-- bypass: unknown-relation
select * from otherdb.sales.orders

-- the search path decides
-- path: sales, public
-- cached: public.orders, sales.orders
select * from orders

-- the search path decides, the other way round
-- path: public, sales
-- cached: public.orders, sales.orders
select sum(total) from orders

-- a name only the second schema has
-- path: public, sales
-- cached: sales.targets
select * from targets

-- a name that the path does not reach
-- bypass: unknown-relation targets
select * from targets

-- quoted names are not folded
-- cached: public.Mixed Case
select "Id", "order" from "Mixed Case"

-- quoted names are not folded, so this is another table
-- bypass: unknown-relation Orders
select * from "Orders"

-- unquoted names are folded
-- cached: public.orders
SELECT * FROM Orders WHERE TOTAL > 10

-- TABLE
-- cached: public.regions
table regions

-- VALUES with a subquery
-- cached: public.regions
values ((select count(*) from regions)), (1)

-- a comma join
-- cached: public.orders, public.customers
select * from orders o, customers c where o.customer_id = c.id

-- all kinds of joins
-- cached: public.orders, public.customers, public.regions, public.refunds, public.order_items
select * from orders o left join customers c on c.id = o.customer_id right join regions r on r.id = c.region_id full join refunds f on f.order_id = o.id natural join (select 1 as one from order_items) i

-- joins in parentheses, with an alias of their own
-- cached: public.orders, public.customers, public.regions
select * from orders o join (customers c cross join regions r) on c.id = o.customer_id

-- JOIN … USING with an alias
-- cached: public.orders, public.refunds
select * from orders join refunds using (id) as both_of_them

-- a derived table
-- cached: public.orders
select s.status, s.n from (select status, count(*) as n from orders group by status) s

-- nested derived tables
-- cached: public.orders
select * from (select * from (select * from (select id from orders) a) b) c

-- a subquery in the select list
-- cached: public.orders, public.customers
select c.name, (select count(*) from orders o where o.customer_id = c.id) from customers c

-- IN, EXISTS, ANY, ALL
-- cached: public.orders, public.customers, public.refunds, public.products, public.regions
select * from orders where customer_id in (select id from customers) and exists (select from refunds) and total > any (select price from products) and id <> all (select id from regions)

-- subqueries in ORDER BY, LIMIT and HAVING
-- cached: public.orders, public.customers, public.refunds, public.regions
select status from orders group by status having count(*) > (select count(*) from refunds) order by (select max(id) from customers) limit (select count(*) from regions)

-- ARRAY of a subquery, a subscript
-- cached: public.orders, public.order_items, public.regions
select array(select i.id from order_items i where i.order_id = o.id), o.tags[(select 1 from regions limit 1)] from orders o

-- a LATERAL subquery
-- cached: public.customers, public.orders
select c.name, l.total from customers c left join lateral (select total from orders o where o.customer_id = c.id order by created_at desc limit 1) l on true

-- set operations
-- cached: public.orders, public.refunds, public.order_items, public.products
select id from orders union all select id from refunds intersect select id from order_items except select id from products order by 1

-- parenthesised set operations
-- cached: public.orders, public.refunds
(select id from orders limit 3) union (select id from refunds limit 3) order by id

-- WITH
-- cached: public.orders
with o as (select * from orders) select count(*) from o

-- C-22: the name of a WITH query inside of itself is the table
-- cached: public.orders
with orders as (select * from orders where total > 5) select * from orders

-- C-22: a WITH query hides a table
-- cached: public.regions
with orders as (select * from regions) select * from orders

-- C-22: a qualified name is never a WITH query
-- cached: public.regions, public.orders
with orders as (select * from regions) select * from orders, public.orders o

-- C-22: a later WITH query is not visible in an earlier one
-- cached: public.orders, public.customers
with a as (select * from orders), orders as (select * from customers) select * from a, orders

-- C-22: it is with RECURSIVE
-- bypass: no-table
with recursive a as (select * from b), b as (select 1 as x) select * from a

-- C-22: WITH inside a subquery ends there
-- cached: public.regions, public.orders
select * from (with orders as (select * from regions) select * from orders) x, orders

-- recursion
-- cached: public.products
with recursive tree(id, depth) as (select id, 1 from products where parent_id is null union all select p.id, t.depth + 1 from products p join tree t on t.id = p.parent_id) select * from tree

-- recursion with SEARCH and CYCLE
-- cached: public.products
with recursive tree as (select id, parent_id from products union all select p.id, p.parent_id from products p join tree t on t.id = p.parent_id) search depth first by id set o cycle id set looped using path select * from tree

-- MATERIALIZED and NOT MATERIALIZED
-- cached: public.orders, public.refunds
with a as materialized (select * from orders), b as not materialized (select * from refunds) select * from a, b

-- C-20: a partitioned table is read with its partitions
-- cached: public.measurements, public.measurements_2023, public.measurements_2024, public.measurements_2024_berlin
select max(peak) from measurements

-- C-20: so is a partition that is partitioned
-- cached: public.measurements_2024, public.measurements_2024_berlin
select max(peak) from measurements_2024

-- C-20: one partition
-- cached: public.measurements_2023
select max(peak) from measurements_2023

-- C-20: inheritance
-- cached: public.vehicles, public.cars
select * from vehicles

-- C-20: ONLY leaves the children out
-- cached: public.vehicles
select * from only vehicles

-- C-20: ONLY with parentheses
-- cached: public.vehicles
select * from only (vehicles) v

-- C-20: the old star says the opposite
-- cached: public.vehicles, public.cars
select * from vehicles *

-- C-20: ONLY in one place does not bind the other
-- cached: public.vehicles, public.cars
select * from only vehicles a, vehicles b

-- C-17: a view stands for its tables
-- cached: public.paid_orders, public.orders
select * from paid_orders

-- C-17: through two views
-- cached: public.revenue, public.paid_orders, public.orders, public.customers
select * from revenue

-- C-17: a view over a partitioned table
-- cached: public.peaks, public.measurements, public.measurements_2023, public.measurements_2024, public.measurements_2024_berlin
select * from peaks

-- C-17: a view that reads the clock
-- cached: public.recent_orders, public.orders, clock
select count(*) from recent_orders

-- C-17: a view that asks who reads it; users are part of the key
-- cached: public.whose_orders, public.orders
select * from whose_orders

-- C-17: a view that asks for a setting; settings are part of the key
-- cached: public.tenant_orders, public.orders
select * from tenant_orders

-- C-18: a materialized view stands for itself
-- cached: public.order_totals
select * from order_totals

-- C-18: a view over a materialized view
-- cached: public.big_customers, public.order_totals
select * from big_customers

-- C-19: row security by name; users are part of the key
-- cached: public.documents
select * from documents

-- C-19: what policies read is depended on
-- cached: public.projects, public.permissions
select * from projects

-- C-34: unlogged tables
-- cached: public.scratch
select * from scratch

-- tableoid never changes without a write or DDL
-- cached: public.vehicles, public.cars
select tableoid, count(*) from vehicles group by 1

-- a label may have the name of a system column
-- cached: public.orders
select id as ctid, total as xmin from orders

-- parameters
-- cached: public.orders
select * from orders where id = $1 and status = any ($2) limit $3
