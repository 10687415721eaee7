from __future__ import annotations

from pathlib import Path

import pytest

from pgcache.config import load_config
from pgcache.errors import ConfigError

UPSTREAM = '[upstream]\nurl = "postgresql://u@localhost/shop"\n'


def _load(tmp_path: Path, text: str) -> object:
    file = tmp_path / "pgcache.toml"
    file.write_text(UPSTREAM + text)
    return load_config(file, environ={})


def test_a_query_needs_little(tmp_path: Path) -> None:
    file = tmp_path / "pgcache.toml"
    file.write_text(f'{UPSTREAM}[[warm]]\nquery = "SELECT 1"\nuser = "metabase"\n')
    (warm,) = load_config(file, environ={}).warm
    assert (warm.protocol, warm.format, warm.schedule) == ("simple", "text", ("start",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[warm]]\nquery = "x"\n', r"\[\[warm\]\] 1 user: is missing"),
        ('[[warm]]\nquery = "x"\nuser = "u"\nformat = "binary"\n', "needs protocol = 'extended'"),
        ('[[warm]]\nquery = "x"\nuser = "u"\nschedule = "often"\n', "'often' is no schedule"),
        ('[[warm]]\nqeury = "x"\n', "unknown key 'qeury'"),
        ('[warm_up]\npassword = "secret-word"\n', "password is whose"),
        ("[warm]\nquery = 1\n", r"must be tables"),
    ],
)
def test_mistakes_are_advice(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        _load(tmp_path, text)
    assert "secret-word" not in raised.value.message


def test_a_bad_password_is_not_repeated(tmp_path: Path) -> None:
    text = '[[warm]]\nquery = "x"\nuser = "u"\npassword = ["secret-word"]\n'
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, text)
    assert "secret-word" not in raised.value.message + (raised.value.hint or "")
