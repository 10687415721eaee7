"""What docker-compose.yml and the files under deploy/ name is there, and fits together."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from pgcache.cli.app import cli
from pgcache.config import Config, load_config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, dict[str, Any]] = COMPOSE["services"]
PROXIES = [name for name in SERVICES if name.startswith("pgcache")]


def _dockerfile(proxy: str) -> str:
    text: str = (ROOT / SERVICES[proxy]["build"]["dockerfile"]).read_text()
    return text.replace("\\\n", " ")


def _instructions(text: str, word: str) -> list[str]:
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)


def _environment(proxy: str) -> dict[str, str]:
    """What the process finds in its environment."""
    pairs = " ".join(_instructions(_dockerfile(proxy), "ENV")).split()
    image = dict(pair.split("=", 1) for pair in pairs)
    return {**image, **SERVICES[proxy]["environment"]}


def _config(proxy: str) -> Config:
    """What the process makes of it; a variable that no option has raises."""
    environment = _environment(proxy)
    assert all(name == "PATH" or name.startswith("PGCACHE_") for name in environment)
    return load_config(environ=environment)


def _volumes() -> Iterator[tuple[str, Path, str]]:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target, mode = volume.split(":")
            assert mode == "ro"
            yield name, ROOT / source, target


def _ports(name: str) -> dict[int, int]:
    """Published on the host -> in the container."""
    published = [port.split(":") for port in SERVICES[name].get("ports", ())]
    assert all(host == "127.0.0.1" for host, _, _ in published), "reachable by everybody"
    return {int(outside): int(inside) for _, outside, inside in published}


def _inside(service: str) -> set[int]:
    """The ports that a service listens on in its container."""
    if service in PROXIES:
        config = _config(service)
        assert config.admin.address is not None
        return {config.listen.address.port, config.admin.address.port}
    if service == "haproxy":
        text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
        return {int(port) for port in re.findall(r"bind \*:(\d+)", text)}
    return {"postgres": {5432}, "redis": {6379}, "prometheus": {9090}, "grafana": {3000}}[service]


def test_the_services() -> None:
    assert len(PROXIES) == 2
    wanted = {"postgres", "redis", "haproxy", "prometheus", "grafana", *PROXIES}
    assert set(SERVICES) == wanted


def test_every_file_that_is_mounted_exists() -> None:
    sources = [source for _, source, _ in _volumes()]
    assert len(sources) >= 5
    assert [source for source in sources if not source.exists()] == []


def test_every_published_port_is_listened_on() -> None:
    outside: list[int] = []
    for name in SERVICES:
        ports = _ports(name)
        assert set(ports.values()) <= _inside(name), name
        outside += ports
    assert len(outside) == len(set(outside))


def test_what_a_service_waits_for_exists() -> None:
    for service in SERVICES.values():
        waits = service.get("depends_on", ())
        assert set(waits) <= set(SERVICES)
        if isinstance(waits, dict):
            for name, how in waits.items():
                assert how == {"condition": "service_healthy"}
                assert "healthcheck" in SERVICES[name]


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_variables_are_options_and_name_services(proxy: str) -> None:
    config = _config(proxy)
    assert (config.origin.host, config.origin.port) == ("postgres", 5432)
    assert config.listen.address.host == ""  # all interfaces, or nobody reaches it
    store = urlsplit(SERVICES[proxy]["environment"]["PGCACHE_STORE"])
    assert store.scheme == "redis"
    assert store.hostname in SERVICES
    assert store.port in _inside(str(store.hostname))
    # Every variable has changed something: none is a name that nobody reads.
    for name in _environment(proxy):
        if name.startswith("PGCACHE_"):
            without = {k: v for k, v in _environment(proxy).items() if k != name}
            if name == "PGCACHE_UPSTREAM":
                continue
            assert load_config(environ=without) != config, name


def test_the_service_role_is_the_one_that_is_made() -> None:
    config = _config(PROXIES[0])
    sql = (DEPLOY / "service-role.sql").read_text()
    made = re.search(r"CREATE ROLE (\w+) LOGIN PASSWORD '([^']+)'", sql)
    assert made is not None
    assert made.groups() == (config.origin.user, config.origin.secret)
    database = SERVICES["postgres"]["environment"]
    assert database["POSTGRES_DB"] == config.origin.dbname
    assert set(config.console_users) <= {database["POSTGRES_USER"], config.origin.user}


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_command_takes_its_flags(proxy: str) -> None:
    text = _dockerfile(proxy)
    (entry,) = _instructions(text, "ENTRYPOINT")
    (default,) = _instructions(text, "CMD")
    assert yaml.safe_load(entry) == ["pgcache"]
    given = SERVICES[proxy].get("command") or yaml.safe_load(default)
    words = shlex.split(given) if isinstance(given, str) else list(given)
    command = cli.commands[words[0]]
    with click.Context(cli) as parent:
        command.make_context(words[0], words[1:], parent=parent)  # raises for unknown flags


def test_the_image_is_built_from_what_the_package_needs() -> None:
    build = SERVICES[PROXIES[0]]["build"]
    assert (ROOT / build["context"]).resolve() == ROOT
    copied: set[str] = set()
    for line in _instructions(_dockerfile(PROXIES[0]), "COPY"):
        if not line.startswith("--from"):
            copied |= set(line.split()[:-1])
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hatch = project["tool"]["hatch"]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(hatch["build"]["targets"]["wheel"]["packages"])
    needed |= {hatch["version"]["path"].split("/")[0]}
    assert needed <= copied
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {name.removeprefix("!") for name in ignored if name.startswith("!")} == copied


def test_the_image_tells_its_ports_and_looks_after_itself() -> None:
    text = _dockerfile(PROXIES[0])
    (exposed,) = _instructions(text, "EXPOSE")
    assert {int(port) for port in exposed.split()} == _inside(PROXIES[0])
    (check,) = _instructions(text, "HEALTHCHECK")
    config = _config(PROXIES[0])
    assert config.admin.address is not None
    assert f"http://127.0.0.1:{config.admin.address.port}/readyz" in check


def test_haproxy_leads_to_both() -> None:
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    servers = re.findall(r"^\s*server (\S+) ([^:\s]+):(\d+)", text, re.MULTILINE)
    assert [host for _, host, _ in servers] == PROXIES
    config = _config(PROXIES[0])
    assert config.admin.address is not None
    assert {int(port) for _, _, port in servers} == {config.listen.address.port}
    assert f"check port {config.admin.address.port}" in text
    assert "GET /readyz" in text


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not on this machine")
def test_haproxy_takes_its_configuration() -> None:
    command = ["haproxy", "-c", "-f", str(DEPLOY / "haproxy" / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "[WARNING]" in line]
    assert [line for line in warnings if "could not resolve address" not in line] == []


def test_prometheus_scrapes_both_and_finds_its_rules() -> None:
    (mounted,) = [(path, target) for name, path, target in _volumes() if name == "prometheus"]
    folder, target = mounted
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    targets = [each for group in job["static_configs"] for each in group["targets"]]
    admin = _config(PROXIES[0]).admin.address
    assert admin is not None
    assert targets == [f"{name}:{admin.port}" for name in PROXIES]
    for pattern in config["rule_files"]:
        assert pattern.startswith(f"{target}/")
        assert list(folder.glob(pattern.removeprefix(f"{target}/"))), pattern


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    mounts = {target: path for name, path, target in _volumes() if name == "grafana"}
    provisioning = mounts["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    url = urlsplit(source["url"])
    assert url.port in _inside(str(url.hostname))
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "pgcache.yml").read_text())[
        "providers"
    ]
    folder = provider["options"]["path"]
    dashboards = [path for target, path in mounts.items() if target.startswith(f"{folder}/")]
    assert dashboards, "no dashboard"
    for dashboard in dashboards:
        assert "datasource" in dashboard.read_text()
