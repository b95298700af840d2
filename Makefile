# The commands of this project. Everything lives in .venv, made from pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup dev test check lint types format clean

setup: .venv/.ready ## make .venv with everything

.venv/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Outrider needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

dev: setup ## start the development server on http://127.0.0.1:8080
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

format: setup ## rewrite the sources as the formatter wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .outrider .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
