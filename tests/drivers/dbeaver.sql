-- What DBeaver asks a PostgreSQL as it connects, opens its tree and keeps the connection alive, from
-- its PostgreSQL driver, one statement a line. On the console all of it has an answer, mostly an
-- empty one: a tool that looks for databases, schemas and types must not fail for lack of them.
SET extra_float_digits = 3
SET application_name = 'DBeaver 24.2.0 - Main <pgcache>'
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
SELECT version()
SHOW server_version_num
SHOW search_path
SHOW transaction_isolation
SELECT current_schema(),session_user
SELECT current_schema()
SELECT current_database(), current_user
SELECT current_schemas(false)
SELECT pg_backend_pid()
SELECT pg_catalog.pg_is_in_recovery()
SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datname='pgcache'
SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE 1 = 1 AND datallowconn AND NOT datistemplate OR db.datname ='pgcache' ORDER BY db.datname
SELECT * FROM pg_catalog.pg_enum WHERE 1<>1 LIMIT 1
SELECT reltype FROM pg_catalog.pg_class WHERE 1<>1 LIMIT 1
SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname
SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
SELECT c.oid,c.*,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr, pg_catalog.pg_get_partkeydef(c.oid) as partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass WHERE c.relnamespace=0 AND c.relkind not in ('i','I','c')
SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' WHERE NOT a.attisdropped AND c.oid=0 ORDER BY a.attnum
SELECT setting FROM pg_catalog.pg_settings WHERE name='standard_conforming_strings'
select * from pg_catalog.pg_settings where name='search_path'
select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs,absolute}'::text[])
SELECT a.oid,a.*,pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname
SELECT t.oid,t.*,pg_tablespace_location(t.oid) loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid
SELECT x.oid, x.*, n.nspname as schema_name FROM pg_catalog.pg_extension x JOIN pg_namespace n ON n.oid=x.extnamespace ORDER BY x.extname
SELECT l.oid,l.* FROM pg_catalog.pg_language l ORDER BY l.oid
SELECT x.oid,x.* FROM pg_catalog.pg_event_trigger x ORDER BY x.evtname
SELECT sa.* FROM pg_catalog.pg_stat_activity sa
SHOW lc_collate
SELECT 1
SELECT 'keep alive'
