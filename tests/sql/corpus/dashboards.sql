-- What BI tools send, in the style of Metabase, Superset, Grafana, Tableau, Looker, Power BI and of people: all are queries that can be cached.

SELECT "source"."status" AS "status", COUNT(*) AS "count" FROM (SELECT "public"."orders"."id" AS "id", "public"."orders"."status" AS "status", "public"."orders"."created_at" AS "created_at" FROM "public"."orders") AS "source" WHERE ("source"."created_at" >= timestamp with time zone '2024-01-01 00:00:00.000Z') AND ("source"."created_at" < timestamp with time zone '2024-02-01 00:00:00.000Z') GROUP BY "source"."status" ORDER BY "source"."status" ASC

SELECT DATE_TRUNC('month', "public"."orders"."created_at") AS "created_at", SUM("public"."orders"."total") AS "sum", CAST(COUNT(DISTINCT "public"."orders"."customer_id") AS float) / NULLIF(COUNT(*), 0) AS "ratio" FROM "public"."orders" LEFT JOIN "public"."customers" AS "Customers" ON "public"."orders"."customer_id" = "Customers"."id" WHERE (lower("Customers"."name") LIKE '%corp%') AND ("Customers"."plan" IN ('pro', 'team')) GROUP BY DATE_TRUNC('month', "public"."orders"."created_at") ORDER BY DATE_TRUNC('month', "public"."orders"."created_at") ASC LIMIT 2000

SELECT CAST("public"."orders"."created_at" AS date) AS "day", COUNT(*) AS "n" FROM "public"."orders" WHERE "public"."orders"."created_at" >= DATE_TRUNC('day', (NOW() + INTERVAL '-30 day')) AND "public"."orders"."created_at" < DATE_TRUNC('day', NOW()) GROUP BY CAST("public"."orders"."created_at" AS date) ORDER BY 1

SELECT "source"."FLOOR" AS "FLOOR", "source"."count" AS "count" FROM (SELECT FLOOR((("public"."orders"."total" - 0.0) / 12.5)) * 12.5 + 0.0 AS "FLOOR", count(*) AS "count" FROM "public"."orders" GROUP BY 1) AS "source" WHERE CASE WHEN "source"."count" > 10 THEN TRUE WHEN "source"."count" IS NULL THEN FALSE ELSE NOT ("source"."FLOOR" = 0) END LIMIT 1048575

SELECT AVG("public"."reviews"."rating") OVER (PARTITION BY "public"."reviews"."product_id" ORDER BY "public"."reviews"."created_at" ASC ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS "moving", (CAST(extract(dow from "public"."reviews"."created_at") AS integer) + 1) AS "day-of-week", (DATE_TRUNC('week', ("public"."reviews"."created_at" + INTERVAL '1 day')) + INTERVAL '-1 day') AS "week" FROM "public"."reviews"

SELECT status AS status, SUM(total) AS "SUM(total)" FROM public.orders WHERE created_at >= TO_TIMESTAMP('2024-03-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND created_at < TO_TIMESTAMP('2024-04-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY status ORDER BY "SUM(total)" DESC LIMIT 10000

SELECT DATE_TRUNC('day', created_at) AS __timestamp, plan AS plan, count(DISTINCT id) AS "COUNT_DISTINCT(id)" FROM public.orders JOIN (SELECT plan AS plan__, count(DISTINCT id) AS mme_inner__ FROM public.orders WHERE created_at >= TO_DATE('2024-01-01', 'YYYY-MM-DD') GROUP BY plan ORDER BY mme_inner__ DESC LIMIT 25) AS series_limit ON plan = plan__ GROUP BY DATE_TRUNC('day', created_at), plan LIMIT 50000

SELECT rank AS rank, region AS region FROM (WITH base AS (SELECT region, rank() OVER (ORDER BY sum(total) DESC) AS rank FROM sales GROUP BY region) SELECT * FROM base) AS virtual_table WHERE (rank <= 10) LIMIT 1000

SELECT DATE_TRUNC('month', ds) AS __timestamp, sum(CASE WHEN gender = 'boy' THEN num ELSE 0 END) * 100.0 / NULLIF(sum(num), 0) AS "% boys" FROM birth_names WHERE ds >= '1924-01-01' AND name ILIKE 'A%' AND state NOT IN ('other') GROUP BY DATE_TRUNC('month', ds) HAVING sum(num) > 1000

SELECT "time" AS "time", avg(value) AS "value", host AS metric FROM cpu WHERE "time" BETWEEN '2024-05-01T10:00:00Z' AND '2024-05-01T16:00:00Z' GROUP BY 1, 3 ORDER BY 1, 3

SELECT floor(extract(epoch from ts)/60)*60 AS "time", percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95, count(*) FILTER (WHERE status >= 500)::float / count(*) AS error_rate FROM requests WHERE ts >= to_timestamp(1714557600) AND ts <= to_timestamp(1714579200) GROUP BY time ORDER BY time

SELECT time_bucket('300.000s', "time") AS "time", max(temperature) AS "max", last(temperature, "time") AS latest FROM conditions WHERE "time" BETWEEN '2024-05-01T10:00:00.123Z' AND '2024-05-01T16:00:00.123Z' AND location = ANY(ARRAY['a', 'b']) GROUP BY 1 ORDER BY 1

SELECT date_trunc('hour', ts) + interval '5 min' * (date_part('minute', ts)::int / 5) AS time, sum(bytes) AS bytes FROM traffic t WHERE ts > now() - interval '6 hours' GROUP BY time ORDER BY time

SELECT "Custom SQL Query"."region" AS "region", SUM("Custom SQL Query"."total") AS "sum:total:ok" FROM ( select c.region, o.total from orders o join customers c on (o.customer_id = c.id) ) "Custom SQL Query" GROUP BY 1

SELECT (CASE WHEN ("orders"."total" IS NULL) THEN NULL WHEN ("orders"."total" > 100) THEN 'big' ELSE 'small' END) AS "Calculation_1", DATE_TRUNC( 'MONTH', CAST("orders"."created_at" AS TIMESTAMP) ) AS "tmn:created_at:ok", SUM(1) AS "cnt:orders:ok" FROM "public"."orders" "orders" INNER JOIN (SELECT "orders"."region" AS "region", SUM("orders"."total") AS "__measure__0" FROM "public"."orders" "orders" GROUP BY 1 ORDER BY 2 DESC NULLS LAST LIMIT 10) "t0" ON ("orders"."region" IS NOT DISTINCT FROM "t0"."region") GROUP BY 1, 2

SELECT MIN("orders"."created_at") AS "TEMP(attr:created_at:nk)(1)", MAX("orders"."created_at") AS "TEMP(attr)(2)" FROM "public"."orders" "orders" HAVING (COUNT(1) > 0)

SELECT TO_CHAR(DATE_TRUNC('month', orders.created_at ), 'YYYY-MM') AS "orders.created_month", users.state AS "users.state", COALESCE(SUM(order_items.sale_price ), 0) AS "order_items.total_sale_price" FROM public.order_items AS order_items LEFT JOIN public.orders AS orders ON order_items.order_id = orders.id LEFT JOIN public.users AS users ON orders.user_id = users.id WHERE ((( orders.created_at ) >= ((SELECT TIMESTAMP '2024-01-01')) AND ( orders.created_at ) < ((SELECT (TIMESTAMP '2024-01-01' + (12 || ' month')::INTERVAL))))) GROUP BY (DATE_TRUNC('month', orders.created_at )), 2 HAVING NOT (COUNT(order_items.id) IS NULL) ORDER BY 1 DESC LIMIT 500

WITH customer_facts AS (SELECT customer_id, MIN(created_at) AS first_order, COUNT(*) AS lifetime_orders FROM public.orders GROUP BY 1), tiers AS (SELECT customer_id, NTILE(4) OVER (ORDER BY lifetime_orders DESC) AS tier FROM customer_facts) SELECT tiers.tier AS "tiers.tier", COUNT(DISTINCT CASE WHEN (customer_facts.lifetime_orders > 1) THEN customer_facts.customer_id ELSE NULL END) AS "repeat" FROM customer_facts INNER JOIN tiers USING (customer_id) GROUP BY 1 ORDER BY 1

select "_"."region" as "c1", "_"."a0" as "a0" from ( select "rows"."region" as "region", sum(cast("rows"."total" as double precision)) as "a0" from ( select "_"."region", "_"."total", "_"."created_at" from "public"."orders" "_" where "_"."created_at" >= timestamp '2024-01-01 00:00:00' and "_"."created_at" < timestamp '2025-01-01 00:00:00' ) "rows" group by "region" ) "_" where not "_"."a0" is null limit 1000001

select "$Table"."id" as "id", "$Table"."name" as "name" from "public"."customers" "$Table" where "$Table"."name" = 'Contoso' and "$Table"."name" is not null order by "$Table"."id" fetch next 4096 rows only

select o.id, o.created_at at time zone 'UTC' at time zone 'Europe/Berlin' as local_time, age(timestamp '2024-01-01', o.created_at::timestamp) from orders o

select distinct on (customer_id) customer_id, id, total from orders order by customer_id, created_at desc

select c.name, latest.total from customers c left join lateral (select o.total from orders o where o.customer_id = c.id order by o.created_at desc limit 1) latest on true

select region, status, grouping(region, status), sum(total) from sales group by grouping sets ((region, status), (region), ()), rollup (region), cube (status, region)

select attributes->>'color' as color, attributes #>> '{dimensions,width}' as width, attributes @> '{"sold": true}'::jsonb as sold, jsonb_array_length(attributes->'tags') from products where attributes ? 'color' and attributes ?| array['a', 'b']

select p.id, t.tag, t.ord from products p cross join lateral unnest(p.tags) with ordinality as t(tag, ord) where p.tags && array['new']::text[] and p.tags[1] <> 'x' and cardinality(p.tags[2:3]) > 0

select d::date as day, coalesce(s.total, 0) as total from generate_series(date '2024-01-01', date '2024-12-31', interval '1 day') as d left join daily_sales s on s.day = d::date order by 1

select i, x.* from generate_series(1, 10) i, jsonb_to_recordset('[]') as x(a int, b text, c numeric(10, 2)), facts where facts.id = i

select first_value(total) over w, lag(total, 1, 0) over (w rows unbounded preceding), sum(total) filter (where status = 'paid') over (w range between interval '7 days' preceding and current row exclude ties) from orders window w as (partition by customer_id order by created_at)

with recursive tree(id, parent_id, depth) as (select id, parent_id, 1 from categories where parent_id is null union all select c.id, c.parent_id, t.depth + 1 from categories c join tree t on t.id = c.parent_id) select t.depth, count(*) from tree t left join products p on p.category_id = t.id group by t.depth

with recursive walk as (select id, parent_id from categories union all select c.id, c.parent_id from categories c join walk w on w.id = c.parent_id) search depth first by id set ord cycle id set is_cycle using path select * from walk order by ord

select count(*) from orders where name similar to '(a|b)%' escape '#' or name !~* '^x' or name ~~ 'y%' or position('z' in name) > 0

select substring(name from 1 for 3), substring(name from '[0-9]+'), trim(both ' ' from name), trim(name), overlay(name placing 'x' from 2 for 1), upper(left(name, 1)) || right(name, -1) from customers

select extract(year from created_at)::int as year, extract('month' from created_at) as month, date_part('quarter', created_at) as quarter, to_char(created_at, 'IYYY-IW') as week from orders

select array_agg(distinct status order by status), string_agg(status, ', ' order by created_at desc nulls last), array(select t.name from tags t where t.order_id = o.id), json_agg(row_to_json(o)) from orders o group by o.id

select * from orders where (customer_id, status) in (select id, 'open' from customers) and exists (select 1 from payments p where p.order_id = orders.id) and total > all (select total from refunds) and total = any ('{1,2}'::int[])

select a.id from orders a join (customers b join regions c on b.region_id = c.id) on a.customer_id = b.id natural join statuses full outer join refunds using (id, status) as r where a.total between symmetric 10 and 1

select id from orders union all select id from archived_orders except select id from deleted_orders intersect (select id from flagged order by 1 limit 5) order by id offset 10 rows fetch first 5 rows with ties

(select id from orders order by total desc limit 5) union (select id from refunds order by total desc limit 5) order by 1

table daily_sales

select (select count(*) from orders) as orders, (select max(x) from (values (1), (2)) as v(x)) as two, (select sum(total) from (select total from refunds limit 5) r)

with orders as (select * from orders where not void), big as (select * from orders where total > 100) select * from big, public.orders

select o.* from only orders o, only (customers) c, regions * where row(o.a, o.b) = row(c.a, c.b) and (o.starts, o.ends) overlaps (c.starts, c.ends)

select count(distinct (a, b)), bool_and(ok), every(ok), variance(x), corr(x, y), regr_slope(y, x), mode() within group (order by status), rank(5) within group (order by total) from measurements

select name as "name", value, key, year, month, day, "user", type, "time", date, text, timestamp, role, "group", owner, "order", index, level, version, data, comment from settings_table

select t.year, t.name, t.user, t.values, t.group from things t where t.key = 'x' and t.values is not null order by t.order nulls first

select case status when 'a' then 1 when 'b' then 2 end, nullif(a, b), greatest(a, b, c), least(a, 1), coalesce(a, b, 0), cast(a as numeric(10, 2)), a::character varying(20), b::timestamp(3) without time zone, c::double precision[] from orders

select U&'d\0061ta', E'tab\t', $$it's$$, $tag$ $$ $tag$, B'101', X'1F', N'x', 1e5, .5, 1_000, 0x1F, 'a'
'b' from numbers

select not a, - b, + c, - (- d), ~ e, |/ f, @ g, a is true, b is not unknown, c isnull, d notnull, e is document, f is nfc normalized, g is json object with unique keys from flags

select x.a[1].b, (x.c).d, (x.c).*, x.*, (array[1, 2])[1], (array[[1], [2]])[1:2][:], s.t.u from s.t as x

select * from pg_catalog.generate_series(1, 3) as g(n), lateral (select g.n * 2 as m from orders limit 1) as l, rows from (generate_series(1, 2), unnest(array['a', 'b'])) with ordinality as r(p, q, o), facts

select id, sum(total) from orders where created_at > $1 and status = $2 and (3, $3::int) = any (values (1, 2), (3, 4)) group by id having sum(total) > $4 limit $5 offset $6

select operator(pg_catalog.-) 5, a operator(pg_catalog.+) f(b), a operator(+) b collate "de_DE" || c collate pg_catalog."C" from strings order by a collate "C" using < nulls last, b desc

select mode, range, rows, groups, filter, over, within, sets, first, last, next, ties, zone, local, escape, cycle, search, materialized, partition, cube, rollup, operator, conflict from weird

select make_interval(days => 10), f(a => 1, b := 2), g(variadic array[1, 2]), h(all x), k(distinct x), count(*), current_date, current_timestamp(3), localtime, current_user, session_user, current_schema, current_catalog from calls
