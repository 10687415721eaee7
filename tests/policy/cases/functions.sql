-- Functions, types, operators, the clock: what a cached query may call (C-11 to C-16).

-- aggregates
-- cached: public.orders
select count(*), count(distinct status), sum(total), avg(total), min(id), max(id), stddev(total), array_agg(id order by id), string_agg(status, ',') filter (where id > 3), bool_and(true), json_agg(status), jsonb_object_agg(id, status) from orders

-- ordered-set aggregates
-- cached: public.orders
select percentile_cont(0.5) within group (order by total), percentile_disc(array[0.5, 0.9]) within group (order by total), mode() within group (order by status), rank(5) within group (order by id) from orders

-- window functions
-- cached: public.orders
select row_number() over w, rank() over (order by total), lag(total, 1, 0.0) over w, first_value(id) over w, ntile(4) over w, sum(total) over (w rows between 3 preceding and current row) from orders window w as (partition by status order by created_at)

-- strings
-- cached: public.customers
select lower(name), upper(name), initcap(name), length(name), char_length(name), substring(name, 1, 3), substring(name from 2 for 3), substr(name, 2), left(name, 1), right(name, 1), trim(both ' ' from name), btrim(name), lpad(name, 10), replace(name, 'a', 'b'), split_part(name, ' ', 1), position('a' in name), strpos(name, 'a'), overlay(name placing 'x' from 1), regexp_replace(name, 'a', 'b', 'g'), md5(name), concat(name, email), concat_ws(' ', name, email), format('%s', name), reverse(name), quote_ident(name) from customers

-- numbers
-- cached: public.orders
select abs(total), round(total, 2), ceil(total), floor(total), trunc(total), mod(id, 3), power(id, 2), sqrt(id), ln(id), exp(id), sign(total), greatest(id, 1), least(id, 1), coalesce(total, 0), nullif(total, 0), width_bucket(total, 0, 10, 5), div(id, 2), log(total), pi() from orders

-- dates, by settings that are part of the key
-- cached: public.orders
select date_trunc('month', created_at), date_part('year', created_at), extract(dow from created_at), to_char(created_at, 'YYYY-MM'), to_timestamp(0), to_timestamp('2024-01-01', 'YYYY-MM-DD'), to_date('2024', 'YYYY'), created_at::date, created_at at time zone 'UTC', make_date(2024, 1, 1), make_timestamptz(2024, 1, 1, 0, 0, 0), date_bin('5 min', created_at, timestamptz '2020-01-01'), justify_days(interval '30 days'), timezone('UTC', created_at), (starts, ends) overlaps (starts, ends) from orders

-- age with two arguments does not ask for the time
-- cached: public.orders
select age(created_at, timestamptz '2024-01-01') from orders

-- arrays
-- cached: public.orders
select unnest(tags), array_length(tags, 1), cardinality(tags), array_to_string(tags, ','), string_to_array(note, ','), tags @> array['a'], tags && '{a,b}'::text[], 'a' = any (tags), array_position(tags, 'a'), array_append(tags, 'x'), tags[1], tags[1:2] from orders

-- jsonb
-- cached: public.orders
select attributes -> 'a', attributes ->> 'b', attributes #>> '{c,d}', attributes @> '{"a": 1}', attributes ? 'x', jsonb_array_elements(attributes -> 'l'), jsonb_build_object('a', id), to_jsonb(status), jsonb_path_query(attributes, '$.a'), jsonb_typeof(attributes), jsonb_set(attributes, '{a}', '1'), row_to_json(o) from orders o

-- functions in FROM
-- cached: public.orders
select g, o.id from generate_series(1, 10) g, orders o, lateral unnest(o.tags) with ordinality as t(tag, n), jsonb_to_recordset(o.attributes) as r(a int, b text), regexp_split_to_table(o.note, ' ') as w

-- ROWS FROM
-- cached: public.orders
select * from rows from (generate_series(1, 2), unnest(array['a', 'b'])) as r(i, a), orders

-- text search, with the configuration in the key
-- cached: public.orders
select to_tsvector('english', note) @@ to_tsquery('cat'), ts_rank(to_tsvector(note), plainto_tsquery('cat')), ts_headline(note, to_tsquery('cat')) from orders

-- pattern matching
-- cached: public.orders
select * from orders where status like 'p%' and status not ilike 'x%' escape '#' and note similar to '(a|b)' and note ~* 'c' and regexp_match(note, 'd') is not null and note ^@ 'e'

-- now() gives a bounded age
-- cached: public.orders, clock
select count(*) from orders where created_at >= now() - interval '30 days'

-- CURRENT_DATE
-- cached: public.orders, clock
select * from orders where starts = current_date

-- CURRENT_TIMESTAMP with a precision
-- cached: public.orders, clock
select current_timestamp(0), id from orders

-- LOCALTIMESTAMP and LOCALTIME
-- cached: public.orders, clock
select localtimestamp, localtime(3), current_time, id from orders

-- transaction and statement time
-- cached: public.orders, clock
select transaction_timestamp(), statement_timestamp(), id from orders

-- age of a date
-- cached: public.orders, clock
select age(created_at) from orders

-- C-13: words that date input skips, however many
-- bypass: magic-literal
select 'now on on on on on on on on on'::timestamptz, id from orders

-- C-13: one of many values of an array
-- bypass: magic-literal
select id from orders where created_at = any('{now,epoch,epoch,epoch,epoch,epoch,epoch,epoch,epoch}'::timestamptz[])

-- prose is no date
-- cached: public.orders
select id from orders where note like 'now is the time for all good men to come%'

-- a label is no clock
-- cached: public.orders
select id as current_date, status as "now" from orders

-- a column is no clock
-- cached: public.metrics
select m."time", m."user" from metrics m

-- clock_timestamp moves within a query
-- bypass: volatile-function clock_timestamp
select clock_timestamp(), id from orders

-- timeofday
-- bypass: volatile-function timeofday
select timeofday(), id from orders

-- C-13: 'now' is frozen when a statement is prepared
-- bypass: magic-literal
select * from orders where created_at < 'now'

-- C-13: 'today' as a typed literal
-- bypass: magic-literal
select * from orders where starts = date 'today'

-- C-13: 'yesterday' as a cast
-- bypass: magic-literal
select * from orders where starts > 'yesterday'::date

-- C-13: 'tomorrow' with a time
-- bypass: magic-literal
select * from orders where created_at < cast('Tomorrow 10:00' as timestamptz)

-- C-13: 'epoch' and 'infinity' do not move
-- cached: public.orders
select * from orders where created_at between 'epoch' and 'infinity'

-- C-13: words that only contain such a word
-- cached: public.orders
select * from orders where note in ('know', 'nowhere', 'todays', 'unknown')

-- C-13: text that a column holds may say 'now'
-- cached: public.orders, clock
select note::date from orders

-- C-13: the same as CAST, as a call, in an array, a range
-- cached: public.orders, clock
select cast(upper(note) as timestamptz), date(note), string_to_array(note, ',')::time[], note::tstzrange from orders

-- C-13: the same from JSON
-- cached: public.orders, clock
select (attributes ->> 'at')::timestamp with time zone from orders

-- C-13: an alias that is called as a column of another type
-- cached: public.orders, clock
select created_at::date from (select note as created_at from orders) o

-- C-13: the same in a list of columns, and in WITH
-- cached: public.orders, clock
with o (created_at) as (select note from orders) select o.created_at::date from o

-- C-13: WITH hides the table
-- cached: public.orders, clock
with orders as (select note as created_at from orders) select orders.created_at::date from orders

-- C-13: a column that another table has as text
-- cached: public.documents, public.orders, clock
select (array[owner])[1]::date from orders, documents

-- C-13: what a function of PostgreSQL's gives to FROM
-- cached: public.orders, clock
select value::timestamptz from orders, jsonb_each_text(attributes) e

-- C-13: a cast of a cast to text
-- cached: public.orders, clock
select created_at::text::date from orders

-- C-13: dates that are no text
-- cached: public.orders
select created_at::date, cast(o.created_at as timestamp), date(created_at), (created_at + interval '1' day)::date, date_trunc('month', created_at)::date, cast(coalesce(created_at, starts, to_timestamp(id)) as date), cast(cast(created_at as timestamp) as date), (o.created_at at time zone 'UTC')::date, starts::timestamp with time zone::date, (attributes ->> 'n')::int from orders o

-- C-13: the last of dates that are no text
-- cached: public.orders
select max(ends)::timestamptz from orders

-- C-13: as Metabase asks, and as it asks of a saved question
-- cached: public.orders
select "source"."created_at" as "created_at", count(*) as "count" from (select cast("public"."orders"."created_at" as date) as "created_at", "public"."orders"."status" as "status" from "public"."orders") as "source" group by "source"."created_at"

-- C-13: as Metabase asks with the report's time zone
-- cached: public.orders
select cast(date_trunc('month', "public"."orders"."created_at") as date) as "created_at", count(*) as "count" from "public"."orders" where "public"."orders"."created_at" >= timestamp with time zone '2024-01-01 00:00:00.000Z' group by cast(date_trunc('month', "public"."orders"."created_at") as date) order by 1

-- C-13: dates out of JSON, column by column
-- cached: public.orders, clock
select r.at from orders, jsonb_to_recordset(attributes) as r(at timestamptz)

-- C-13: dates out of JSON, as rows
-- cached: public.orders, clock
select jsonb_populate_record(null::events, attributes) from orders

-- C-13: a path that compares times with time zones
-- cached: public.orders, clock
select jsonb_path_query_tz(attributes, '$.a') from orders

-- C-13: a time of day gets today's offset
-- cached: public.shifts, clock
select begins::timetz from shifts

-- C-13: the same by AT TIME ZONE
-- cached: public.shifts, clock
select begins at time zone 'Europe/Berlin' from shifts

-- C-13: the same by the function
-- cached: public.orders, clock
select timezone('Europe/Berlin', created_at::time) from orders

-- C-13: the same by a comparison
-- cached: public.closings, public.shifts, clock
select * from shifts, closings where begins = at

-- C-13: a view with any of these
-- cached: public.orders, public.dated_notes, clock
select * from dated_notes

-- C-13: a time of day without a zone
-- cached: public.shifts
select begins, begins + interval '1 hour', extract(hour from begins) from shifts

-- random
-- bypass: volatile-function random
select * from orders order by random() limit 10

-- gen_random_uuid
-- bypass: volatile-function gen_random_uuid
select gen_random_uuid(), id from orders

-- nextval
-- bypass: volatile-function nextval
select nextval('ticket_numbers'), id from orders

-- pg_sleep
-- bypass: volatile-function pg_sleep
select pg_sleep(1), id from orders

-- set_config
-- bypass: volatile-function set_config
select set_config('work_mem', '8MB', false) from orders

-- advisory locks
-- bypass: volatile-function pg_advisory_lock
select pg_advisory_lock(id) from orders

-- large objects
-- bypass: volatile-function lo_get
select lo_get(1) from orders

-- a volatile function in a WHERE of a subquery
-- bypass: volatile-function random
select * from orders where id in (select id from refunds where random() > 0.5)

-- a volatile function in FROM
-- bypass: volatile-function random
select * from orders, random() r

-- a volatile function in ORDER BY of an aggregate
-- bypass: volatile-function random
select array_agg(id order by random()) from orders

-- a volatile function behind DISTINCT ON
-- bypass: volatile-function random
select distinct on (id) random() from orders

-- a volatile function, qualified and quoted
-- bypass: volatile-function random
select pg_catalog."random"() from orders

-- a volatile function in a frame
-- bypass: volatile-function random
select sum(id) over (order by id rows (random() * 10)::int preceding) from orders

-- a volatile function in FILTER
-- bypass: volatile-function random
select count(*) filter (where random() > 0.5) from orders

-- a volatile function in LIMIT
-- bypass: volatile-function random
select * from orders limit (random() * 10)::int

-- a volatile function in CASE, in an array, in a subscript
-- bypass: volatile-function random
select tags[case when true then (array[random()])[1]::int end] from orders

-- who I am: users are part of the key
-- cached: public.orders
select current_user, session_user, user, current_role, current_catalog, current_schema, current_schema(), current_database(), id from orders

-- a setting: settings are part of the key
-- cached: public.orders
select current_setting('app.tenant', true), id from orders

-- a setting whose name is not in the text
-- bypass: session-function
select current_setting(note) from orders

-- the backend
-- bypass: session-function
select pg_backend_pid(), id from orders

-- the client's address
-- bypass: session-function
select inet_client_addr(), id from orders

-- the transaction's id
-- bypass: session-function
select txid_current(), id from orders

-- privileges
-- bypass: catalog-function
select has_table_privilege('orders', 'select'), id from orders

-- the size of a table
-- bypass: volatile-function pg_relation_size
select pg_relation_size('orders'), id from orders

-- definitions
-- bypass: catalog-function
select pg_get_viewdef('revenue'::regclass), id from orders

-- a function that reads any table
-- bypass: volatile-function query_to_xml
select query_to_xml('select 1', true, true, '') from orders

-- table_to_xml
-- bypass: catalog-function
select table_to_xml('orders', true, true, '') from regions

-- C-15: a user's IMMUTABLE function is trusted
-- cached: public.orders
select tools.add_tax(total) from orders

-- C-15: a user's STABLE function is not
-- bypass: user-function tools.region_of
select tools.region_of(id) from orders

-- C-15: unless it is declared
-- cached: public.orders, public.regions
select tools.known_region(customer_id) from orders

-- C-15: a user's VOLATILE function
-- bypass: volatile-function tools.place_order
select tools.place_order(id) from orders

-- C-15: unqualified, through the path
-- path: public, tools
-- bypass: volatile-function tools.place_order
select place_order(id) from orders

-- C-15: unqualified, outside the path
-- bypass: unknown-function place_order
select place_order(id) from orders

-- C-15: a user's function that hides a built-in one may be meant
-- path: sales, pg_catalog
-- bypass: user-function sales.length
select length(region) from sales.orders

-- C-15: and cannot be meant by this
-- path: sales, pg_catalog
-- cached: sales.orders
select pg_catalog.length(region) from sales.orders

-- C-15: the same for now()
-- bypass: volatile-function sales.now
select sales.now(), id from orders

-- a function that nobody knows
-- bypass: unknown-function no_such_function
select no_such_function(id) from orders

-- a built-in function with a number of arguments that no overload takes
-- bypass: unknown-function lower
select lower(status, status, status) from orders

-- a user's aggregate
-- cached: public.orders
select tools.product(total) from orders

-- C-14: a function that looks like a column
-- path: public, tools
-- bypass: user-function sneaky
select o.sneaky from orders o

-- C-14: the same with parentheses
-- path: public, tools
-- bypass: user-function sneaky
select (o).sneaky from orders o

-- an enum
-- cached: public.people
select * from people where feeling > 'ok'::mood and feeling = any (enum_range('ok'::mood))

-- an enum as a typed literal
-- cached: public.people
select * from people where feeling = mood 'happy'

-- a domain with a constraint that is a plain comparison
-- cached: public.people
select age::positive from people

-- a domain without a constraint
-- cached: public.orders
select note::plain_text from orders

-- a domain whose constraint reads a table
-- bypass: user-type
select note::allowed from orders

-- the same as CAST
-- bypass: user-type
select cast(note as allowed) from orders

-- the same as an array
-- bypass: user-type
select tags::allowed[] from orders

-- regclass looks a name up in the catalogs
-- bypass: user-type regclass
select tableoid::regclass from orders

-- a type that nobody knows
-- bypass: user-type no_such_type
select id::no_such_type from orders

-- built-in types in all spellings
-- cached: public.orders
select id::int8, id::bigint, id::double precision, total::numeric(10, 2), note::varchar(20), note::character varying, note::char(3), created_at::timestamp(3) with time zone, created_at::time without time zone, interval '1' day, interval '1-2' year to month, bit '101', note::bytea, note::uuid, note::pg_catalog.text, cast(id as text) from orders

-- CASE, IS, BETWEEN and other syntax
-- cached: public.orders
select case when total > 10 then 'big' when total is null then 'none' else 'small' end, total between 1 and 2, total is distinct from 3, status is not null, (id > 3) is true, id in (1, 2), row(id, status) = row(1, 'a'), not (id = 3), exists (select 1), total::int % 3 <> 0 and - total < + 4 or @ total > 5, |/ id, id ^ 2, id << 1, id # 3, ~ id from orders
