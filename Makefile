# Needs Python 3.11 or later and nothing else: `make up PYTHON=python3.12` chooses one.
PYTHON ?= python3
BIN := .venv/bin
# What is installed: the first for what runs, both for what tests and checks. A stamp is newer than its locks.
RUNS := .venv/.synced
DEVELOPS := .venv/.synced-dev
SYNC := $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes
# As pip does: trust whom the machine trusts.
export UV_SYSTEM_CERTS ?= 1

.PHONY: up test test-packages test-processes chaos bench check lint architecture lock lock-clients clean

up: $(RUNS)  ## run everything here, until Ctrl-C
	@exec $(BIN)/python manage.py up

# Most of it is waiting: two runs beside each other, each with a PostgreSQL and a Redis of its own.
PROCESSES := tests/chaos tests/clients tests/connector tests/journeys

test: $(DEVELOPS)  ## run the tests, in two halves beside each other: what they say comes when each ends
	@$(MAKE) --no-print-directory --jobs=2 --output-sync test-packages test-processes

test-packages: $(DEVELOPS)
	@$(BIN)/python -m pytest --ignore=tests/architecture $(PROCESSES:%=--ignore=%)

test-processes: $(DEVELOPS)
	@$(BIN)/python -m pytest $(PROCESSES)

# How long faults are thrown; the rest takes about three minutes more.
CHAOS_SECONDS ?= 480

chaos: $(DEVELOPS)  ## kill, freeze and cut off whatever can be, on processes of its own
	@$(BIN)/python -m tests.chaos storm --seconds $(CHAOS_SECONDS)
	@$(BIN)/python -m tests.chaos partition || test $$? = 77
	@$(BIN)/python -m tests.chaos capacity

bench: $(DEVELOPS)  ## measure: see docs/operating.md
	@$(BIN)/python -m bench

check: lint architecture  ## what must hold of the whole: its rules, its documents, its OpenAPI description

architecture: $(DEVELOPS)
	@$(BIN)/python -m pytest tests/architecture

# Nothing below is connected to: mypy and Django only want settings that load.
lint: export SECRET_KEY = check
lint: export SECRET_ENCRYPTION_KEYS = check
lint: export DATABASE_URL = django.db.backends.dummy://
lint: export REDIS_URL = redis://unused
lint: $(DEVELOPS)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy .
	@$(BIN)/python manage.py makemigrations --check --dry-run

# Pins stay as they are unless pyproject.toml rules them out: `--upgrade` in COMPILE would take the newest.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url

lock: $(DEVELOPS)  ## resolve pyproject.toml anew: requirements.lock runs, requirements-dev.lock is added to develop
	@$(COMPILE) --all-extras pyproject.toml -o requirements.lock
	@$(COMPILE) --group dev --constraints requirements.lock -o requirements-dev.lock

lock-clients: $(DEVELOPS)  ## resolve what tests/clients installs anew
	@cd tests/clients/python && ../../../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url requirements.in -o requirements.lock
	@cd tests/clients/node && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean:  ## forget the environment and the caches, never the data
	rm -rf .venv .venv-clients tests/clients/node/node_modules .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.data*' -prune -exec rm -rf {} +

# The lock holds uv itself: its hash is checked like every other.
# Once tests were installed they stay, so that `make up` and `make test` take turns without a reinstallation.
$(RUNS): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	@test -x $(BIN)/uv || { \
		echo "Setting up .venv" && $(PYTHON) -m venv .venv && \
		awk '/^uv==/ {uv = 1} uv {print} uv && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock; }
	@$(SYNC) requirements.lock $(if $(wildcard $(DEVELOPS)),requirements-dev.lock)
	@touch $@

# Pins of both agree, so a `make up` that is running meanwhile loses no file.
$(DEVELOPS): $(RUNS) requirements-dev.lock
	@$(SYNC) requirements.lock requirements-dev.lock
	@touch $@
