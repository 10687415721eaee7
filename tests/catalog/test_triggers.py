"""Trigger functions that change only their row, and those that may do more (C-32)."""

from __future__ import annotations

import pytest

from pgcache.catalog.triggers import changes_only_its_row

HARMLESS = {"now", "lower", "concat", "round", "clock_timestamp", "nextval", "date_trunc"}


@pytest.mark.parametrize(
    "body",
    [
        "BEGIN NEW.updated_at = now(); RETURN NEW; END;",
        "\nbegin\n  new.updated_at := current_timestamp; -- every time\n  return new;\nend",
        (
            "begin if tg_op = 'UPDATE' and new.* is distinct from old.* then "
            "new.version := old.version + 1; end if; return new; end;"
        ),
        "begin new.email := lower(new.email); return coalesce(new, old); end",
        (
            "begin if (new.a > 1 or new.b is null) then raise exception 'bad %', new.a; end if;"
            " return new; end"
        ),
        "begin new.at := now() at time zone 'UTC'; new.n := nextval('s'); return new; end",
        "begin new.total := round(new.a::numeric * 1.2, 2); return null; end",
        "begin /* INSERT INTO audit */ new.a := 'DELETE FROM t'; return new; end",
        "begin new.name := case when new.a in (1, 2) then 'x' else 'y' end; return new; end",
    ],
)
def test_bodies_that_change_only_the_row(body: str) -> None:
    assert changes_only_its_row(body, HARMLESS.__contains__)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "begin insert into audit values (1); return new; end",
        "begin new.a := (select max(a) from t); return new; end",
        "begin new.a := my_function(new.b); return new; end",
        "begin new.a := s.lower(new.b); return new; end",
        "begin new.a := new.b.c(1); return new; end",
        "begin perform now(); return new; end",
        "begin execute 'delete from t'; return new; end",
        "begin update t set a = 1; return new; end",
        "begin call p(); return new; end",
        "begin delete from t; return old; end",
        "begin truncate t; return old; end",
        "begin raise notice 'x' using hint = (select f()); return new; end",
        "begin new.a := extract(epoch from new.b); return new; end",
        "declare x int := f(); begin return new; end",
        "begin new.a := set_config('a.b', 'c', false); return new; end",
        "begin new.a := E'\\'; delete from t; --'; return new; end",
        "begin new.a := 'a\\'; delete from t; return new; end",
        "begin new.a := $x$y$x$; return new; end",
        'begin "lower"(new.a); return new; end',
        "begin new.a := /* /* */ delete from t */ 1; return new; end",
        "begin new.a := new.b::my_domain; return new; end",
        "begin new.a := new.b::text.x(1); return new; end",
        "begin copy t from program 'x'; return new; end",
        "begin new.a := t.lower; return new; end",
        "begin return query delete from t returning *; end",
        "begin for x in delete from t returning * loop end loop; return new; end",
        "begin lock t; notify x; set a = b; return new; end",
        "begin if exists (table t) then return new; end if; end",
    ],
)
def test_Z00_anything_else_may_write(body: str) -> None:
    assert not changes_only_its_row(body, HARMLESS.__contains__)
