from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pgcache.config import Address, Config
from pgcache.config.lifetimes import RuleConfig, TableConfig
from pgcache.config.section import Section


def _config(**sections: Any) -> Config:
    return Config.model_validate({"upstream": {"url": "postgresql://svc@db/app"}, **sections})


def test_no_more_than_an_origin_is_needed() -> None:
    config = _config()
    assert config.listen.address == Address("127.0.0.1", 6432)
    assert config.store.shown == "memory://"
    assert (config.cache.enabled, config.cache.mode, config.cache.ttl) == (True, "on", 300.0)
    assert config.origin.host == "db"
    assert config.console_users == {"svc"}
    assert config.declared == {}
    assert not config.tls.is_offered


def test_declared_functions_name_all_tables_once() -> None:
    config = _config(
        functions={
            "public.rate": {"reads": ["public.rates"]},
            "public.audit": {"reads": ["public.users"], "writes": ["public.log", "public.users"]},
            "public.pure": {"reads": []},
        }
    )
    assert config.declared == {
        "public.rate": ("public.rates",),
        "public.audit": ("public.users", "public.log"),
        "public.pure": (),
    }


def test_named_console_users_replace_the_service_role() -> None:
    assert _config(admin={"users": ["dba"]}).console_users == {"dba"}


@pytest.mark.parametrize(
    ("mode", "cert", "offered"),
    [("allow", None, False), ("allow", "c", True), ("require", "c", True), ("disable", "c", False)],
)
def test_tls_is_offered(mode: str, cert: str | None, offered: bool) -> None:
    assert _config(tls={"mode": mode, "cert": cert, "key": cert}).tls.is_offered is offered


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"tls": {"cert": "c"}}, "cert and key belong together"),
        ({"tls": {"mode": "require"}}, "needs a certificate"),
        ({"store": {"max_bytes": "1MB"}}, "max_entry_bytes is more than max_bytes"),
        ({"store": {"url": "http://x"}}, "is not a store; give"),
        ({"tables": {"orders": {}}}, "'orders' is no table; write it with its schema"),
        ({"functions": {"f": {"reads": []}}}, "'f' is no function"),
        ({"functions": {"a.f": {"reads": ["t"]}}}, "'t' is no table"),
        ({"functions": {"a.f": {}}}, "declares nothing"),
        ({"listen": {"startup_timeout": 0}}, "must be more than zero"),
        ({"upstream": {"url": 5}}, "is not a PostgreSQL connection URL"),
        ({"cache": {"min_query_ms": "nan"}}, "finite"),
    ],
)
def test_what_cannot_be(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _config(**section)


def test_values_never_change() -> None:
    config = _config()
    with pytest.raises(ValidationError, match="frozen"):
        config.cache.ttl = 5.0


def test_a_configuration_can_be_shown_without_its_secrets() -> None:
    config = Config.model_validate({"upstream": {"url": "postgresql://u:geheim@db/app"}})
    shown = config.model_dump_json()
    assert "geheim" not in shown + repr(config)
    assert '"url":"postgresql://db:5432"' in shown
    assert '"max_bytes":"256MB"' in shown
    assert '"ttl":"300s"' in shown


def test_every_option_has_help_and_says_what_is_allowed() -> None:
    sections = [found for found in Section.__subclasses__() if found is not Config]
    assert {TableConfig, RuleConfig} <= set(sections)
    for section in sections:
        assert section.__doc__
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.description.endswith("."), f"{section.__name__}.{name}"
            extra = field.json_schema_extra
            assert isinstance(extra, dict), f"{section.__name__}.{name}"
            assert extra["allowed"], f"{section.__name__}.{name}"
