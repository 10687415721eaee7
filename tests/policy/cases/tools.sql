-- Queries as BI tools send them: all of these have to hit.

-- Metabase: a summary by month
-- cached: public.orders
SELECT DATE_TRUNC('month', "public"."orders"."created_at") AS "created_at", SUM("public"."orders"."total") AS "sum" FROM "public"."orders" GROUP BY DATE_TRUNC('month', "public"."orders"."created_at") ORDER BY DATE_TRUNC('month', "public"."orders"."created_at") ASC

-- Metabase: the last thirty days
-- cached: public.orders, clock
SELECT CAST("public"."orders"."created_at" AS date) AS "created_at", COUNT(*) AS "count" FROM "public"."orders" WHERE ("public"."orders"."created_at" >= DATE_TRUNC('day', (NOW() + INTERVAL '-30 day'))) AND ("public"."orders"."created_at" < DATE_TRUNC('day', NOW())) GROUP BY CAST("public"."orders"."created_at" AS date) ORDER BY CAST("public"."orders"."created_at" AS date) ASC

-- Metabase: a joined question with a nested source
-- cached: public.orders, public.customers
SELECT "source"."Customers__plan" AS "Customers__plan", "source"."count" AS "count" FROM (SELECT "Customers"."plan" AS "Customers__plan", COUNT(*) AS "count" FROM "public"."orders" LEFT JOIN "public"."customers" AS "Customers" ON "public"."orders"."customer_id" = "Customers"."id" GROUP BY "Customers"."plan") AS "source" WHERE "source"."count" > 10 ORDER BY "source"."count" DESC LIMIT 10000

-- Metabase: bins
-- cached: public.orders
SELECT FLOOR((("public"."orders"."total" - 0.0) / 20.0)) * 20.0 + 0.0 AS "total", COUNT(*) AS "count" FROM "public"."orders" GROUP BY FLOOR((("public"."orders"."total" - 0.0) / 20.0)) * 20.0 + 0.0 ORDER BY 1

-- Metabase: day of the week
-- cached: public.orders
SELECT (CAST(extract(dow from "public"."orders"."created_at") AS integer) + 1) AS "created_at", AVG("public"."orders"."total") AS "avg" FROM "public"."orders" WHERE (LOWER("public"."orders"."note") LIKE '%gift%') AND ("public"."orders"."total" BETWEEN 10 AND 100) GROUP BY 1

-- Metabase: table rows
-- cached: public.customers
SELECT "public"."customers"."id" AS "id", "public"."customers"."name" AS "name", "public"."customers"."created_at" AS "created_at" FROM "public"."customers" LIMIT 2000

-- Metabase: a report time zone
-- cached: public.orders
SELECT DATE_TRUNC('week', ("public"."orders"."created_at" AT TIME ZONE 'Europe/Berlin' + INTERVAL '1 day')) + INTERVAL '-1 day' AS "w", STDDEV_POP("public"."orders"."total"), PERCENTILE_CONT(0.9) within group (order by "public"."orders"."total") FROM "public"."orders" GROUP BY 1

-- Metabase: its comment
-- cached: public.orders
-- Metabase:: userID: 1 queryType: MBQL queryHash: 4a2b
SELECT COUNT(*) AS "count" FROM "public"."orders"

-- Superset: a time filter
-- cached: public.orders
SELECT DATE_TRUNC('day', created_at) AS created_at, COUNT(*) AS count FROM public.orders WHERE created_at >= TO_TIMESTAMP('2024-03-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND created_at < TO_TIMESTAMP('2024-03-08 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('day', created_at) ORDER BY count DESC LIMIT 10000

-- Superset: a date filter with TO_DATE
-- cached: sales.targets
SELECT region AS region, sum(amount) AS "SUM(amount)" FROM sales.targets WHERE month >= TO_DATE('2024-01-01', 'YYYY-MM-DD') GROUP BY region ORDER BY "SUM(amount)" DESC LIMIT 100

-- Superset: a virtual data set
-- cached: public.orders, public.customers
SELECT plan AS plan, sum(total) AS revenue FROM (select c.plan, o.total, o.created_at from orders o join customers c on c.id = o.customer_id) AS virtual_table WHERE plan IN ('pro', 'team') AND (total > 0) GROUP BY plan LIMIT 50000

-- Superset: a limited series
-- cached: public.orders
SELECT DATE_TRUNC('month', created_at) AS __timestamp, status AS status, count(*) AS count FROM public.orders JOIN (SELECT status AS status__, count(*) AS mme_inner__ FROM public.orders GROUP BY status ORDER BY mme_inner__ DESC LIMIT 5) AS series_limit ON status = status__ GROUP BY DATE_TRUNC('month', created_at), status

-- Superset: SQL Lab adds a limit
-- cached: public.orders
SELECT * FROM orders LIMIT 1001

-- Superset: filter values
-- cached: public.orders
SELECT status AS status FROM public.orders GROUP BY status LIMIT 1000

-- Superset: search_path instead of a schema
-- path: sales
-- cached: sales.targets
SELECT region AS region, COUNT(*) AS count FROM targets GROUP BY region LIMIT 1000

-- Grafana: a time series with absolute bounds
-- cached: public.metrics
SELECT "time" AS "time", avg(value) AS "value", host AS metric FROM metrics WHERE "time" BETWEEN '2024-05-01T10:00:00.123Z' AND '2024-05-01T16:00:00.123Z' GROUP BY 1, 3 ORDER BY 1

-- Grafana: $__timeGroup
-- cached: public.metrics
SELECT floor(extract(epoch from "time")/300)*300 AS "time", max(value) FROM metrics WHERE extract(epoch from "time") >= 1714557600 AND extract(epoch from "time") <= 1714579200 GROUP BY 1 ORDER BY 1

-- Grafana: a table panel with now()
-- cached: public.metrics, clock
SELECT host, last_value FROM (SELECT host, value AS last_value, row_number() OVER (PARTITION BY host ORDER BY "time" DESC) AS n FROM metrics WHERE "time" > now() - interval '5 minutes') t WHERE n = 1

-- Grafana: a template variable
-- cached: public.metrics
SELECT DISTINCT host FROM metrics ORDER BY host

-- Grafana: time as a column without quotes
-- cached: public.metrics
SELECT date_trunc('minute', time) AS time, sum(value) FROM metrics GROUP BY time ORDER BY time

-- Tableau: a quoted extract
-- cached: public.orders
SELECT "orders"."status" AS "status", SUM("orders"."total") AS "sum:total:ok" FROM "public"."orders" "orders" GROUP BY 1

-- Tableau: a calculation
-- cached: public.orders
SELECT (CASE WHEN ("orders"."total" > 100) THEN 'big' WHEN NOT ("orders"."total" > 100) THEN 'small' ELSE NULL END) AS "Calculation_123", DATE_TRUNC( 'MONTH', CAST("orders"."created_at" AS TIMESTAMP WITHOUT TIME ZONE) ) AS "tmn:created_at:ok", COUNT(DISTINCT "orders"."customer_id") AS "ctd:customer_id:ok" FROM "public"."orders" "orders" WHERE (("orders"."status" IN ('open', 'paid')) AND (CAST(EXTRACT(YEAR FROM "orders"."created_at") AS INTEGER) = 2024)) GROUP BY 1, 2

-- Tableau: custom SQL
-- cached: public.orders
SELECT "Custom SQL Query"."status" AS "status" FROM ( select status, total from orders where total > 0 ) "Custom SQL Query" GROUP BY 1

-- Tableau: a top filter
-- cached: public.orders
SELECT "orders"."status" AS "status", SUM("orders"."total") AS "x" FROM "public"."orders" "orders" INNER JOIN (SELECT "orders"."status" AS "status", SUM("orders"."total") AS "$__alias__0" FROM "public"."orders" "orders" GROUP BY 1 ORDER BY 2 DESC LIMIT 10) "t0" ON ("orders"."status" = "t0"."status") GROUP BY 1

-- Looker: an explore
-- cached: public.orders, public.customers
SELECT TO_CHAR(DATE_TRUNC('month', orders.created_at ), 'YYYY-MM') AS "orders.created_month", customers.plan AS "customers.plan", COALESCE(SUM(orders.total ), 0) AS "orders.total" FROM public.orders AS orders LEFT JOIN public.customers AS customers ON orders.customer_id = customers.id WHERE ((orders.created_at >= TIMESTAMP '2024-01-01') AND (orders.created_at < (TIMESTAMP '2024-01-01' + (3 || ' month')::INTERVAL))) GROUP BY (DATE_TRUNC('month', orders.created_at )), 2 HAVING NOT (COUNT(orders.id) IS NULL) ORDER BY 1 DESC LIMIT 500

-- Looker: a derived table
-- cached: public.orders
WITH facts AS (SELECT customer_id, MIN(created_at) AS first_order, COUNT(*) AS n FROM public.orders GROUP BY 1) SELECT facts.n AS "facts.n", COUNT(DISTINCT facts.customer_id) AS "facts.count" FROM facts GROUP BY 1 ORDER BY 1 LIMIT 500

-- Looker: its context comment
-- cached: public.orders
-- Looker Query Context '{"user_id":6,"history_slug":"fc83","instance_slug":"71d4"}'
SELECT orders.status AS "orders.status" FROM public.orders AS orders GROUP BY 1 FETCH NEXT 500 ROWS ONLY

-- Looker: CURRENT_TIMESTAMP filters
-- cached: public.orders, clock
SELECT COUNT(*) FROM public.orders AS orders WHERE ((( orders.created_at ) >= ((SELECT (DATE_TRUNC('day', CURRENT_TIMESTAMP AT TIME ZONE 'UTC') + (-6 || ' day')::INTERVAL)))))

-- Power BI: DirectQuery
-- cached: public.orders
select "rows"."status" as "status", sum("rows"."total") as "a0" from ( select "_"."status", "_"."total" from "public"."orders" "_" where "_"."created_at" >= timestamp '2024-01-01 00:00:00' ) "rows" group by "status" limit 1000001

-- Power BI: joined tables
-- cached: public.orders, public.customers
select "basetable0"."c1" as "c1", sum("basetable0"."c2") as "a0" from ( select "OTBL"."plan" as "c1", "ITBL"."total" as "c2" from (select "_"."id", "_"."plan" from "public"."customers" "_") "OTBL" inner join "public"."orders" "ITBL" on ("OTBL"."id" = "ITBL"."customer_id") ) "basetable0" group by "basetable0"."c1" limit 1000001 offset 0

-- Power BI: text search
-- cached: public.customers
select "_"."name" from "public"."customers" "_" where position(lower('x') in lower("_"."name")) > 0 and not "_"."name" is null order by "_"."name" limit 101

-- Redash: a parameter
-- cached: public.orders
/* Username: a@b.c, Query ID: 12, Queue: queries */ SELECT status, count(*) FROM orders WHERE created_at > '2024-01-01' GROUP BY 1

-- DBeaver: a page
-- cached: public.orders
SELECT o.* FROM public.orders o LIMIT 200 OFFSET 400

-- dbt: a test
-- cached: public.orders
select count(*) as failures, count(*) != 0 as should_warn from ( select id from "public"."orders" where id is null ) dbt_internal_test

-- Cube: a rollup
-- cached: public.orders
SELECT date_trunc('day', ("orders".created_at::timestamptz AT TIME ZONE 'UTC')) "orders__created_at_day", count("orders".id) "orders__count" FROM public.orders AS "orders" WHERE ("orders".created_at >= '2024-01-01T00:00:00.000Z'::timestamptz) GROUP BY 1 ORDER BY 1 ASC LIMIT 10000

-- a cohort analysis
-- cached: public.orders
with first as (select customer_id, date_trunc('month', min(created_at)) as cohort from orders group by 1), activity as (select o.customer_id, f.cohort, extract(year from age(date_trunc('month', o.created_at)::date::timestamp, f.cohort::date::timestamp)) * 12 as month from orders o join first f using (customer_id)) select cohort, month, count(distinct customer_id) from activity group by 1, 2

-- a funnel
-- cached: public.events
select kind, count(distinct id) as n, round(100.0 * count(distinct id) / first_value(count(distinct id)) over (order by min(at)), 1) as percent from events where data @> '{"country": "DE"}' group by kind

-- a running total by region
-- cached: public.orders, public.customers, public.regions
select r.name, date_trunc('week', o.created_at)::date as week, sum(sum(o.total)) over (partition by r.name order by date_trunc('week', o.created_at) range between unbounded preceding and current row) from orders o join customers c on c.id = o.customer_id join regions r on r.id = c.region_id group by 1, 2, date_trunc('week', o.created_at)

-- the mission's own dashboard query
-- cached: public.orders, public.customers, public.order_items, public.products, public.regions, clock
select r.name, p.name, count(*), sum(i.quantity * i.price), rank() over (partition by r.name order by sum(i.quantity * i.price) desc) from orders o join customers c on c.id = o.customer_id join order_items i on i.order_id = o.id join products p on p.id = i.product_id join regions r on r.id = c.region_id where o.created_at >= NOW() - INTERVAL '30 days' group by 1, 2

-- missing days filled in
-- cached: public.orders
select d::date, coalesce(count(o.id), 0) from generate_series('2024-01-01'::date, '2024-01-31'::date, '1 day') as d left join orders o on o.created_at::date = d::date group by 1 order by 1

-- a pivot by FILTER
-- cached: public.orders
select date_trunc('month', created_at) as month, count(*) filter (where status = 'paid') as paid, count(*) filter (where status = 'open') as open, sum(total) filter (where total > 100)::numeric(12, 2) as big from orders group by 1

-- grouping sets
-- cached: public.orders
select status, customer_id, grouping(status), sum(total) from orders group by grouping sets ((status), (customer_id), ()), rollup (status), cube (customer_id)

-- the newest row of each customer
-- cached: public.orders
select distinct on (customer_id) customer_id, total, created_at from orders order by customer_id, created_at desc nulls last

-- a histogram
-- cached: public.orders
select width_bucket(total, 0, 1000, 10) as bucket, int4range(min(total)::int, max(total)::int, '[]') as range, count(*) as freq, repeat('*', (count(*)::float / max(count(*)) over () * 30)::int) as bar from orders group by bucket
