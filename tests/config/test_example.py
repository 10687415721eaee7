from __future__ import annotations

import re
from pathlib import Path

from pgcache.config import Config, load_config
from pgcache.config.example import build_example, build_markdown

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"


def test_the_committed_file_is_what_the_model_says() -> None:
    assert EXAMPLE.read_text() == build_example(), "run: make example"


def test_the_documentation_holds_the_tables_of_the_model() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert build_markdown() in text, "paste: python -m pgcache.config.example --markdown"


def test_the_file_loads_and_says_the_defaults() -> None:
    config = load_config(EXAMPLE, environ={})
    bare = Config.model_validate({"upstream": {"url": config.origin}})
    assert config == bare


def test_what_stands_behind_a_comment_sign_loads_too(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=\[+[^\]]+\]+$|[a-z_]+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    file = tmp_path / "all.toml"
    file.write_text(text)
    config = load_config(file, environ={})
    assert config.tables["public.orders"].tags == ("revenue", "finance")
    assert config.declared == {"reporting.exchange_rate": ("public.rates", "public.audit_log")}
    assert config.rules[0].ttl == 3600.0
    assert config.rules[0].relation == ("sales.*",)
    assert config.admin.address is not None
    assert config.tls.is_offered
