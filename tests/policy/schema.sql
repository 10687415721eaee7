-- The schema behind the cases: one of everything that decides whether a query may be cached.
-- Loaded as superuser into an empty database of each version; nothing in it holds rows.

create schema sales;
create schema audit;
create schema tools;

-- plain tables, foreign keys with and without cascades
create table regions (id int primary key, name text);
create table customers (
    id int primary key,
    name text,
    email text,
    plan text,
    region_id int references regions (id),
    created_at timestamptz
);
create table orders (
    id int primary key,
    customer_id int references customers (id) on delete cascade,
    status text,
    total numeric(12, 2),
    tags text[],
    attributes jsonb,
    starts date,
    ends date,
    created_at timestamptz,
    note text
);
create table order_items (
    id int primary key,
    order_id int references orders (id) on update cascade on delete cascade,
    product_id int,
    quantity int,
    price numeric
);
create table refunds (id int primary key, order_id int references orders (id), total numeric);
create table products (id int primary key, name text, price numeric, parent_id int);
create table metrics ("time" timestamptz, value double precision, host text, "user" text);
create unlogged table scratch (id int, payload text);
create table sales.targets (region text, month date, amount numeric);
create table sales.orders (id int primary key, region text, total numeric);
create table "Mixed Case" ("Id" int, "order" text);
create table events (id int, at timestamptz, kind text, data jsonb);

create table shifts (id int, begins time);
create table closings (id int, at timetz);

-- partitions and inheritance
create table measurements (at date not null, city text, peak int) partition by range (at);
create table measurements_2023 partition of measurements
    for values from ('2023-01-01') to ('2024-01-01');
create table measurements_2024 partition of measurements
    for values from ('2024-01-01') to ('2025-01-01') partition by list (city);
create table measurements_2024_berlin partition of measurements_2024 for values in ('berlin');
create table vehicles (id int, name text);
create table cars (doors int) inherits (vehicles);

-- views
create view paid_orders as select * from orders where status = 'paid';
create view revenue as
    select c.region_id, sum(o.total) as total
    from paid_orders o join customers c on c.id = o.customer_id
    group by c.region_id;
create view recent_orders as select * from orders where created_at > now() - interval '1 day';
create view dated_notes as select note::date as d from orders;
create view lucky_orders as select * from orders where random() < 0.5;
create view locked_orders as select * from orders for update;
create view sampled_orders as select * from orders tablesample system (10);
create view placed_orders as select ctid as place, id from orders;
create view whose_orders as select current_user as who, o.id from orders o;
create view peaks as select city, max(peak) as peak from measurements group by city;
create view constants as select 1 as one;
create view table_list as select relname from pg_catalog.pg_class;
create view tenant_orders as
    select * from orders where note = current_setting('app.tenant', true);
create materialized view order_totals as
    select customer_id, sum(total) as total from orders group by customer_id;
create unique index on order_totals (customer_id);
create view big_customers as select * from order_totals where total > 1000;

-- row security
create table documents (id int, owner text, body text);
alter table documents enable row level security;
create policy own on documents using (owner = current_user);
create table permissions (who text, project int);
create table projects (id int, name text);
alter table projects enable row level security;
create policy permitted on projects
    using (exists (select from permissions p where p.project = id and p.who = current_user));
create table secrets (id int, body text);
alter table secrets enable row level security;
create policy odd on secrets using (random() > 0.5);

-- functions of each volatility
create function tools.add_tax(numeric) returns numeric
    language sql immutable as 'select $1 * 1.19';
create function tools.region_of(int) returns text
    language sql stable as 'select name from public.regions where id = $1';
create function tools.known_region(int) returns text
    language sql stable as 'select name from public.regions where id = $1';
create function tools.place_order(int) returns int
    language plpgsql as 'begin insert into public.orders (id) values ($1); return $1; end';
create function tools.sneaky(orders) returns text
    language sql stable as 'select name from public.regions limit 1';
create function tools.noting(orders) returns int
    language plpgsql as 'begin insert into public.orders (id) values (0); return 0; end';
create function tools.login(text) returns void
    language plpgsql as 'begin perform set_config(''app.tenant'', $1, false); end';
create procedure tools.nightly() language plpgsql as 'begin commit; end';
create aggregate tools.product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = '1');
create aggregate tools.odd_sum(int) (sfunc = int4pl, stype = int, initcond = '0');
create function sales.now() returns timestamptz language sql as 'select pg_catalog.now()';
create function sales.length(text) returns int
    language sql stable as 'select count(*)::int from public.regions';

-- types, casts, operators
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as int check (value > 0);
create domain plain_text as text;
create function tools.is_allowed(text) returns boolean
    language sql stable as 'select exists (select from public.regions where name = $1)';
create domain allowed as text check (tools.is_allowed(value));
create table people (id int, feeling mood, age positive, born date);
create function tools.same_region(int, int) returns boolean
    language sql stable as 'select tools.region_of($1) = tools.region_of($2)';
create operator tools.=~= (leftarg = int, rightarg = int, function = tools.same_region);
create function tools.near(int, int) returns boolean
    language sql immutable as 'select abs($1 - $2) < 2';
create operator tools.<~> (leftarg = int, rightarg = int, function = tools.near);

-- sequences, foreign tables
create sequence ticket_numbers;
create foreign data wrapper nowhere;
create server elsewhere foreign data wrapper nowhere;
create foreign table remote_orders (id int) server elsewhere;

-- triggers, rules, updatable views
create table audit.log (at timestamptz, what text);
create table accounts (id int primary key, balance numeric, changed timestamptz);
create function audit.note() returns trigger
    language plpgsql as 'begin insert into audit.log values (now(), tg_op); return new; end';
create trigger note after insert or update on accounts for each row execute function audit.note();
create table tallies (id int, n int);
create function audit.declared() returns trigger
    language plpgsql as 'begin insert into audit.log values (now(), tg_op); return new; end';
create trigger tally after insert on tallies for each row execute function audit.declared();
create table copied (id int);
create rule copy as on insert to copied do also insert into scratch values (new.id, '');
create view instead as select 1 as id;
create function audit.instead() returns trigger
    language plpgsql as 'begin insert into audit.log values (now(), tg_op); return new; end';
create trigger go instead of insert on instead for each row execute function audit.instead();

-- somebody who is subject to row security
grant usage on schema public, sales, audit, tools to public;
grant select on all tables in schema public, sales, audit to public;
grant select on all sequences in schema public to public;
