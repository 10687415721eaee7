"""The values under a context: precedence of reports, changes and login."""

from __future__ import annotations

from pgcache.policy.probe import Probe
from pgcache.policy.values import Values


def learned() -> Values:
    values = Values()
    values.learn(
        Probe(
            "alice",
            role="bob",
            settings={"search_path": "A, b", "xmloption": "content"},
            custom={"app.tenant": "7", "app.region": None},
        )
    )
    return values


def test_login_is_under_changes_and_changes_under_reports() -> None:
    values = learned()
    assert values.get("xmloption") == "content"
    values.put("xmloption", "document")
    assert values.get("xmloption") == "document"
    assert values.report("xmloption", "content")
    assert not values.report("xmloption", "content")
    assert values.get("xmloption") == "content"


def test_resetting_returns_to_login() -> None:
    values = learned()
    for name, login in (("app.tenant", "7"), ("app.region", ""), ("search_path", '"a", "b"')):
        values.put(name, "other")
        assert values.get(name) == "other"
        values.put(name, None)
        assert values.get(name) == login


def test_a_role_from_login_comes_back_with_reset() -> None:
    values = learned()
    assert values.users() == ("alice", "bob")
    values.put("role", "none")
    assert values.users() == ("alice", "alice")
    values.put("role", None)
    assert values.users() == ("alice", "bob")


def test_asking_again_moves_what_reset_returns_to() -> None:
    """The configuration was reloaded since login."""
    values = learned()
    probe = Probe(
        "alice",
        role="bob",
        settings={"search_path": "c", "xmloption": "content"},
        custom={"app.tenant": "7", "app.region": "", "pg_trgm.similarity_threshold": None},
        defaults={"search_path": "c", "xmloption": "content"},
        changed={"pg_trgm.similarity_threshold": "0.5"},
    )
    assert values.relearn(probe)
    values.put("search_path", "d")
    values.put("search_path", None)
    assert values.get("search_path") == '"c"'
    assert values.get("app.region") == ""
    assert values.custom_names() == {"app.tenant", "app.region", "pg_trgm.similarity_threshold"}


def test_material_is_in_order_and_leaves_out_what_does_not_matter() -> None:
    values = learned()
    values.put("work_mem", "1MB")
    values.put("pgcache.mode", "off")
    assert list(values.material()) == [
        ("session_user", "alice"),
        ("current_user", "bob"),
        ("app.tenant", "7"),
        ("search_path", '"a", "b"'),
        ("xmloption", "content"),
    ]


def test_a_path_that_is_no_list_is_kept_as_it_is() -> None:
    values = learned()
    values.report("search_path", "a,,b")
    assert values.get("search_path") == "a,,b"
