-- Queries: nothing here writes.

SELECT 1

select

SELECT * FROM orders

select o.id, o.total from sales.orders as o where o.total > 10 and not o.void

TABLE orders

table only orders

TABLE sales.orders ORDER BY id LIMIT 5

VALUES (1, 'a'), (2, 'b')

VALUES (1) UNION ALL SELECT 2

(SELECT 1)

((SELECT 1) UNION (SELECT 2)) ORDER BY 1

( VALUES (1) )

(TABLE orders)

SELECT a FROM x UNION SELECT a FROM y EXCEPT SELECT a FROM z INTERSECT SELECT a FROM w

WITH x AS (SELECT 1) SELECT * FROM x

WITH x AS MATERIALIZED (SELECT 1), y AS NOT MATERIALIZED (SELECT 2) SELECT * FROM x, y

WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t

WITH RECURSIVE s AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM s) SEARCH DEPTH FIRST BY a SET o SELECT * FROM s

WITH RECURSIVE s AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM s) SEARCH BREADTH FIRST BY a SET o CYCLE a SET is_cycle USING path SELECT * FROM s

WITH RECURSIVE s AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM s) CYCLE a SET c TO 'Y' DEFAULT 'N' USING path TABLE s

WITH recursive AS (SELECT 1) SELECT * FROM recursive

WITH update AS (SELECT 1), delete AS (SELECT 2), insert(merge) AS (SELECT 3) SELECT * FROM update, delete, insert

WITH x AS (SELECT 1) (SELECT * FROM x)

WITH x AS (SELECT 1) VALUES (1)

WITH x AS (WITH y AS (SELECT 1) SELECT * FROM y) SELECT * FROM x

(WITH x AS (SELECT 1) SELECT * FROM x)

SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) q

SELECT (SELECT max(id) FROM orders), EXISTS (SELECT FROM orders)

SELECT delete FROM t

SELECT (1) delete FROM t

SELECT update, insert, merge FROM t

SELECT t.update FROM t WHERE t.delete = 1

SELECT trim(delete FROM x), trim(both update from x) FROM t

SELECT extract(year FROM created_at) FROM orders

SELECT substring(name from 2 for 3), overlay(name placing 'x' from 1) FROM t

SELECT a AS into, b AS "into" FROM t

SELECT t.into FROM t

SELECT a AS "select", "Insert", "UPDATE t SET x = 1" FROM t

SELECT 'INSERT INTO t VALUES (1)', $$DELETE FROM t$$, E'UPDATE t SET\'x\' = 1'

SELECT /* INSERT INTO t */ 1 -- DELETE FROM t

SELECT * FROM f() AS (update int, delete text)

SELECT * FROM f(1) AS t(insert int)

SELECT * FROM ROWS FROM (f(1), g(2) AS (a int)) WITH ORDINALITY

SELECT * FROM orders FOR UPDATE

SELECT * FROM orders o FOR NO KEY UPDATE OF o SKIP LOCKED

SELECT * FROM orders FOR SHARE NOWAIT

SELECT * FROM (SELECT * FROM orders FOR KEY SHARE) x

SELECT * FROM orders TABLESAMPLE bernoulli (10) REPEATABLE (1)

SELECT date_trunc('month', o.created_at) AS month, c.region, SUM(oi.quantity * oi.unit_price) AS revenue
FROM orders o
JOIN order_items oi ON oi.order_id = o.id
JOIN customers c USING (customer_id)
WHERE o.created_at >= NOW() - INTERVAL '30 days'
GROUP BY 1, 2
HAVING SUM(oi.quantity) > 10
ORDER BY revenue DESC NULLS LAST
LIMIT 100 OFFSET 10

SELECT row_number() OVER (PARTITION BY region ORDER BY total DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders

SELECT sum(x) FILTER (WHERE y > 0) OVER w FROM t WINDOW w AS (ORDER BY z)

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders

SELECT a, b, count(*) FROM t GROUP BY GROUPING SETS ((a), (b), ()), CUBE (a, b), ROLLUP (a)

SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b

SELECT * FROM a NATURAL LEFT JOIN b CROSS JOIN c, LATERAL (SELECT * FROM d WHERE d.x = a.x) l

SELECT CASE WHEN a THEN 1 ELSE 2 END, CASE a WHEN 1 THEN 'x' END FROM t

SELECT a::text, CAST(b AS numeric(10, 2)), c::int[], (d).e, (f).*, g[1:2], ARRAY[1, 2], ROW(1, 2) FROM t

SELECT json -> 'a', json ->> 'a', json #> '{a}', json @> '{}', a || b, -a, @ b, |/ c, a !~* 'x' FROM t

SELECT a OPERATOR(pg_catalog.+) b FROM t

SELECT 'a'
'b', U&'d\0061t', U&'d!0061t' UESCAPE '!', B'101', X'1F', N'x', 1.5e10, .5, 0x1F, 1_000

SELECT DATE '2024-01-01', TIMESTAMP WITH TIME ZONE '2024-01-01', INTERVAL '1' YEAR, INTERVAL(3) '1 s'

SELECT CURRENT_DATE, CURRENT_USER, LOCALTIMESTAMP(2), SESSION_USER, CURRENT_SCHEMA

SELECT a IS DISTINCT FROM b, a IS NOT NULL, b BETWEEN SYMMETRIC 1 AND 2, c IN (1, 2), d LIKE 'x' ESCAPE '!' FROM t

SELECT a FROM t WHERE b = ANY (ARRAY[1, 2]) OR c > ALL (SELECT 1) OR (d, e) OVERLAPS (f, g)

SELECT xmlelement(name foo, xmlattributes(a AS b), 'c'), xmlparse(document '<a/>')

SELECT * FROM xmltable('/a' PASSING x COLUMNS b int PATH 'b')

SELECT * FROM t WHERE a = $1 AND b = $2::text LIMIT $3

SELECT set_config('x.y', '1', false)

SELECT nextval('s'), pg_advisory_lock(1)

SELECT f(a => 1, b := 2, VARIADIC c) FROM t

SELECT a FETCH FIRST 3 ROWS ONLY

SELECT a FROM t ORDER BY a OFFSET 1 ROW FETCH NEXT ROW WITH TIES

SELECT GREATEST(a, b), COALESCE(c, d), NULLIF(e, f), GROUPING(g) FROM t GROUP BY g

SELECT count(*) FROM pg_class c, information_schema.tables t

SELECT * FROM "Sales"."Orders" WHERE "Total" > 1

SELECT * FROM été WHERE größe = 'ß'

SELECT a AT TIME ZONE 'UTC', b COLLATE "C" FROM t

SELECT 1 end, 2 AS case

SELECT JSON_OBJECT('a': 1), JSON_ARRAY(1, 2) FROM t
