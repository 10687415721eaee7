# make demo   a PostgreSQL with sales data, pgcache in front, a dashboard cold and warm
# make test   everything that continuous integration runs
# Both set up what they need: a virtual environment in .venv, the package and its extras.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
NODE := build/node
DEMO_FLAGS ?=
BENCH_FLAGS ?=
PYTEST_FLAGS ?= -n 4 --dist worksteal

.PHONY: help demo test lint types contracts unit format example clean bench bench-quick bench-shared bench-micro

help:
	@sed -n 's/^# //p' Makefile | head -3

demo: $(VENV)/.demo
	$(BIN)/pgcache demo $(DEMO_FLAGS)

test: lint types contracts unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev $(NODE)/.done
	NODE_PATH=$(CURDIR)/$(NODE)/node_modules $(BIN)/pytest $(PYTEST_FLAGS)

# What else developers run.
format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

example: $(VENV)/.dev
	$(BIN)/python -m pgcache.config.example > config.example.toml
	$(BIN)/python -m pgcache.cli.reference docs/operations.md

# What it costs and what it saves, on this machine, at this moment.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.suite $(BENCH_FLAGS)

bench-quick: $(VENV)/.dev
	$(BIN)/python -m benchmarks.quick $(BENCH_FLAGS)

bench-shared: $(VENV)/.dev
	$(BIN)/python -m benchmarks.shared $(BENCH_FLAGS)

bench-micro: $(VENV)/.dev
	$(BIN)/python -m benchmarks.micro $(BENCH_FLAGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "cannot create a virtual environment: install your system's python3-venv package"; exit 1; }

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.demo

# node-postgres, for the tests that run it; without node they are skipped.
$(NODE)/.done:
	@mkdir -p $(NODE)
	@if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then \
		npm install --silent --no-audit --no-fund --fetch-retries=1 --fetch-timeout=20000 \
			--cache $(NODE)/cache --prefix $(NODE) pg@8 pg-cursor@2 \
		&& touch $@ || echo "npm could not install node-postgres: its tests will be skipped"; \
	else echo "no node on this machine: the tests of node-postgres will be skipped"; fi
