# Needs Python 3.11 or later and nothing else: `make up PYTHON=python3.12` chooses one.
PYTHON ?= python3
BIN := .venv/bin
# What is installed: the first for what runs, both for what tests and checks. A stamp is newer than its locks.
RUNS := .venv/.synced
DEVELOPS := .venv/.synced-dev
INSTALL := @$(PYTHON) -m config.runner.installing
# As pip does: trust whom the machine trusts.
export UV_SYSTEM_CERTS ?= 1
# Containers often say that no bytecode is kept: each of many processes would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up clean test test-assistants test-connector test-journeys test-packages test-all test-slow chaos soak \
	cves check lint architecture browser bench profile screenshots messages lock lock-clients

##@ Run

up: $(RUNS)  ## run everything on this machine, until Ctrl-C; RESTORE=FILE fills an empty database from a backup
	@exec $(BIN)/python manage.py up $(if $(RESTORE),--restore "$(RESTORE)")

help:  ## list these commands
	@awk -F '  ## ' '/^##@ / {print "\n" substr($$0, 5)} / ## / && /^[a-z]/ {split($$1, target, ":"); \
		printf "  make %-14s %s\n", target[1], $$2}' $(firstword $(MAKEFILE_LIST))
	@echo; echo "Commands of an installation: $(BIN)/python manage.py help"

clean:  ## delete what was installed and cached, never the data (.data)
	rm -rf .venv .venv-* tests/*/node/node_modules .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.data*' -prune -exec rm -rf {} +

##@ Test

# Much of it is waiting: three runs beside each other, each with a PostgreSQL and a Redis of its own, and a fourth
# when the first of them has ended.
JOURNEYS := tests/chaos tests/clients tests/journeys tests/mcp_endpoint
APART := tests/architecture tests/assistants tests/connector $(JOURNEYS)

test: $(DEVELOPS)  ## run the tests, about 17 minutes on two cores; four parts, each prints when it ends
	@$(MAKE) --no-print-directory --jobs=3 --output-sync test-connector test-assistants test-packages test-journeys

test-assistants: $(DEVELOPS)
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m "not slow" tests/assistants

test-connector: $(DEVELOPS)
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m "not slow" tests/connector

test-journeys: $(DEVELOPS)
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m "not slow" $(JOURNEYS)

test-packages: $(DEVELOPS)
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m "not slow" $(APART:%=--ignore=%)

test-all:  ## run the tests, those marked slow, and chaos: what has to pass before an issue is closed
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-slow
	@$(MAKE) --no-print-directory chaos

# Tests of classes of advisories that stand beside the one place that they are about.
BESIDE := assistants/mcp_endpoint/test_access.py assistants/mcp_endpoint/test_sessions.py \
	assistants/openai_api/approvals/test_items.py config/test_health.py connector/data_plane/test_access.py \
	connector/data_plane/test_logins.py connector/session/test_oauth_credentials.py \
	console/test_hostile_server.py tools/api/test_moved_servers.py tools/arguments/test_checking.py

cves: $(DEVELOPS)  ## show that holes of products like this one are none here: tests/advisories
	@$(BIN)/python -m pytest tests/advisories $(BESIDE:%=tests/%)

test-slow: $(DEVELOPS)
	@$(BIN)/python -m pytest -m slow

# How long faults are thrown; the rest takes about eleven minutes more.
CHAOS_SECONDS ?= 480

chaos: $(DEVELOPS)  ## kill, freeze and cut off whatever can be, on processes of its own, for 21 minutes
	@$(BIN)/python -m tests.chaos storm --seconds $(CHAOS_SECONDS)
	@$(BIN)/python -m tests.chaos partition || test $$? = 77
	@$(BIN)/python -m tests.chaos capacity
	@$(BIN)/python -m tests.chaos approvals --seconds 60
	@$(BIN)/python -m tests.chaos failover
	@$(BIN)/python -m tests.chaos sentinel
	@$(BIN)/python -m tests.chaos clock || test $$? = 77

MINUTES ?= 60

soak: $(DEVELOPS)  ## load the whole product for an hour (MINUTES=60), and tell what has grown meanwhile
	@$(BIN)/python -m bench.soak --minutes $(MINUTES)

# Tests skip what their machine lacks, and never install anything of the system.
CHROMIUM = $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))

browser:  ## install the browser that tests of web pages drive: Debian's chromium
ifneq (,$(CHROMIUM))
	@echo "There is a browser: $(CHROMIUM)"
else ifneq (,$(shell command -v apt-get))
	$(SUDO) apt-get update --quiet
	$(SUDO) apt-get install --quiet --yes --no-install-recommends chromium
else
	@echo "Install Chromium (a command named chromium, chromium-browser or google-chrome), then run this again."
	@exit 1
endif

SUDO = $(shell test $$(id -u) = 0 || command -v sudo)

##@ Develop

check: $(DEVELOPS)  ## lint, check the types, the layers, the migrations and the OpenAPI description
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint architecture

architecture: $(DEVELOPS)
	@$(BIN)/python -m pytest tests/architecture

# Nothing is connected to: mypy and Django only want settings that load.
lint messages: export SECRET_KEY = check
lint messages: export SECRET_ENCRYPTION_KEYS = check
lint messages: export DATABASE_URL = django.db.backends.dummy://
lint messages: export REDIS_URL = redis://unused
lint: $(DEVELOPS)  ## the part of it that takes a minute: no database, no process; known holes of packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy .
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python -m tests.advisories.audit

bench: $(DEVELOPS)  ## measure, and print the figures beside their goals
	@$(BIN)/python -m bench

# A load of `python -m bench load --help`.
LOAD ?= chat

profile: $(DEVELOPS)  ## draw flame graphs of a web process and of a worker under LOAD (chat), in .data/profiles
	@$(BIN)/python -m bench.profile $(LOAD)

screenshots: $(DEVELOPS)  ## take the pictures of docs/images anew, from what `make up` runs
	@$(BIN)/python -m tests.console.screenshots

messages: $(DEVELOPS)  ## collect the strings that the console shows into config/locale, and compile it
	@DJANGO_SETTINGS_MODULE=config.settings $(BIN)/python -m tests.console.translations

# Pins stay as they are unless pyproject.toml rules them out: `--upgrade` in COMPILE would take the newest.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url

lock: $(DEVELOPS)  ## resolve pyproject.toml anew: requirements.lock runs, requirements-dev.lock adds what develops
	@$(COMPILE) --all-extras pyproject.toml -o requirements.lock
	@$(COMPILE) --group dev --constraints requirements.lock -o requirements-dev.lock

lock-clients: $(DEVELOPS)  ## resolve anew what tests/advisories, clients and mcp_endpoint install
	@cd tests/clients/python && ../../../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url requirements.in -o requirements.lock
	@cd tests/advisories && ../../$(BIN)/uv pip compile --no-config --quiet --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url requirements.in -o requirements.lock
	@cd tests/mcp_endpoint/python && ../../../$(BIN)/uv pip compile --no-config --quiet --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url requirements.in -o requirements.lock
	@for world in tests/clients/node tests/mcp_endpoint/node; do (cd $$world && npm install --package-lock-only \
		--omit-lockfile-registry-resolved --no-audit --no-fund) || exit 1; done

# Once tests were installed they stay, so that `make up` and `make test` take turns without a reinstallation.
$(RUNS): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(INSTALL) requirements.lock $(if $(wildcard $(DEVELOPS)),requirements-dev.lock)
	@touch $@

# Pins of both agree, so a `make up` that is running meanwhile loses no file.
$(DEVELOPS): $(RUNS) requirements-dev.lock
	$(INSTALL) requirements.lock requirements-dev.lock
	@touch $@
