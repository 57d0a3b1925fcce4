# Needs Python 3.11 or later and nothing else: `make up PYTHON=python3.12` chooses one.
PYTHON ?= python3
BIN := .venv/bin
SYNCED := .venv/.synced
# As pip does: trust whom the machine trusts.
export UV_SYSTEM_CERTS ?= 1

.PHONY: up test check lock clean

up: $(SYNCED)  ## run everything here, until Ctrl-C
	@exec $(BIN)/python manage.py up

test: $(SYNCED)  ## run the tests, on a PostgreSQL and a Redis of their own
	@$(BIN)/python -m pytest

# Nothing below is connected to: mypy and Django only want settings that load.
check: export SECRET_KEY = check
check: export SECRET_ENCRYPTION_KEYS = check
check: export DATABASE_URL = django.db.backends.dummy://
check: export REDIS_URL = redis://unused
check: $(SYNCED)  ## what can be said about the code without running it
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy .
	@$(BIN)/python manage.py makemigrations --check --dry-run

lock: $(SYNCED)  ## resolve pyproject.toml anew
	@$(BIN)/uv pip compile --universal --generate-hashes --all-extras --no-emit-index-url pyproject.toml -o requirements.lock

clean:  ## forget the environment and the caches, never the data
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.data*' -prune -exec rm -rf {} +

# The lock holds uv itself: its hash is checked like every other.
$(SYNCED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	@test -x $(BIN)/uv || { \
		echo "Setting up .venv" && $(PYTHON) -m venv .venv && \
		awk '/^uv==/ {uv = 1} uv {print} uv && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock; }
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@touch $(SYNCED)
