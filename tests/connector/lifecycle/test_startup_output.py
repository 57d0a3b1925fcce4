"""The causes of failed starts, read from the messages of published servers and of their libraries."""

import time

import pytest

from connector.lifecycle.diagnosis import Diagnosis, ExitInfo, ExitReason, diagnose
from connector.lifecycle.startup_output import find_cause


def diagnosis_of(stderr: str = "", stdout: str = "", code: int = 1) -> Diagnosis:
    first = stdout.partition("\n")[0]
    return diagnose(
        ExitInfo("npx", "start", 1.0, code=code, stderr=stderr, stray_stdout=first, stdout=stdout)
    )


VARIABLES = [
    ("Missing GITHUB_TOKEN", "GITHUB_TOKEN"),
    ("GITHUB_PERSONAL_ACCESS_TOKEN not set", "GITHUB_PERSONAL_ACCESS_TOKEN"),
    ("Error: BRAVE_API_KEY environment variable is required", "BRAVE_API_KEY"),
    ("TAVILY_API_KEY must be provided", "TAVILY_API_KEY"),
    ("Error: FIGMA_API_KEY is not defined", "FIGMA_API_KEY"),
    ("Please set SENTRY_AUTH_TOKEN", "SENTRY_AUTH_TOKEN"),
    ("Please set SLACK_BOT_TOKEN and SLACK_TEAM_ID environment variables", "SLACK_BOT_TOKEN, SLACK_TEAM_ID"),
    ("DATABASE_URI is not set", "DATABASE_URI"),
    ("Fatal: environment variable TOKEN is not set", "TOKEN"),
    ("The APIKEY env var is missing", "APIKEY"),
    ("GITLAB_TOKEN environment variable must be set. Exiting.", "GITLAB_TOKEN"),
    ("ValueError: Missing required JIRA_URL environment variable", "JIRA_URL"),
    ("Either NOTION_TOKEN or OPENAPI_MCP_HEADERS must be set", "one of NOTION_TOKEN, OPENAPI_MCP_HEADERS"),
    ("line 3: API_KEY: unbound variable", "API_KEY"),
    ("envconfig: required key EXA_API_KEY missing value", "EXA_API_KEY"),
    ('env: required environment variable "LINEAR_API_KEY" is not set', "LINEAR_API_KEY"),
    (
        "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value.",
        "SECRET_KEY",
    ),
    (
        "Missing credentials. Please pass an `apiKey`, or set the `OPENAI_API_KEY` environment variable.",
        "OPENAI_API_KEY",
    ),
    (
        "The api_key client option must be set either by passing api_key or by setting the OPENAI_API_KEY",
        "OPENAI_API_KEY",
    ),
    ("Could not resolve placeholder 'GITHUB_TOKEN' in value \"${GITHUB_TOKEN}\"", "GITHUB_TOKEN"),
    (
        'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in <module>\n'
        "    token = os.environ['NOTION_TOKEN']\nKeyError: 'NOTION_TOKEN'",
        "NOTION_TOKEN",
    ),
    (
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nNOTION_TOKEN\n"
        "  Field required [type=missing, input_value={}, input_type=dict]\n"
        "    For further information visit https://errors.pydantic.dev/2.11/v/missing",
        "NOTION_TOKEN",
    ),
    (
        "2 validation errors for ServerConfig\napi_url\n  Field required [type=missing, input_type=dict]\n"
        "    For further information visit https://errors.pydantic.dev/2.11/v/missing\napi_token\n"
        "  Field required [type=missing, input_type=dict]\n",
        "API_URL, API_TOKEN",
    ),
    ("NOTION_TOKEN\n  Field required", "NOTION_TOKEN"),
    (
        'ZodError: [\n  {\n    "code": "invalid_type",\n    "path": [\n      "STRIPE_SECRET_KEY"\n    ],\n'
        '    "message": "Required"\n  }\n]',
        "STRIPE_SECRET_KEY",
    ),
    ("Invalid environment variables: { SUPABASE_URL: [ 'Required' ] }", "SUPABASE_URL"),
    (
        "❌ Missing required environment variables:\n   - MYSQL_HOST\n   - MYSQL_USER\n\nSee the README",
        "MYSQL_HOST, MYSQL_USER",
    ),
    (
        "DEBUG_MODE is not set, defaulting to no\nError: TODOIST_TOKEN is required\n    at main (a.js:3)",
        "TODOIST_TOKEN",
    ),
    ("\x1b[31mError:\x1b[0m AIRTABLE_API_KEY is required", "AIRTABLE_API_KEY"),
    ("[2026-01-01T10:00:00Z] ERROR server: REDIS_URL cannot be empty", "REDIS_URL"),
]


@pytest.mark.parametrize(("text", "names"), VARIABLES)
@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_a_missing_variable_is_named(text: str, names: str, stream: str) -> None:
    found = diagnosis_of(**{stream: text})
    noun = "the variables" if "," in names else "the variable"
    needed = names.replace("one of", "one of the variables") if "one of" in names else f"{noun} {names}"
    assert (found.reason, found.message) == (ExitReason.MISSING_VARIABLE, f"The server needs {needed}.")


@pytest.mark.parametrize(
    "text",
    [
        'TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string. Received undefined',
        "code: 'ERR_INVALID_ARG_TYPE' is required",
        "Error [ERR_MISSING_ARGS]: ERR_MISSING_ARGS: the option is required",
        "ReferenceError: DEFAULT_LIMIT is not defined",
        "NameError: name 'BASE_URL' is not defined",
        "compiled against NODE_MODULE_VERSION 108. This version of Node.js requires NODE_MODULE_VERSION 115.",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE: certificate required",
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
        "[debug] GITHUB_TOKEN is not set",
        "INFO: GITHUB_TOKEN not set, using anonymous access",
        "OPTIONAL_KEY is not set, falling back to the default",
        "Error: something went wrong",
    ],
)
def test_what_is_no_missing_variable_is_not_reported_as_one(text: str) -> None:
    assert diagnosis_of(text).reason == ExitReason.CRASHED


DEPENDENCIES = [
    ("Error: connect ECONNREFUSED 127.0.0.1:5432", "127.0.0.1:5432"),
    (
        "[debug] PG_FILE is not set\nError: connect ECONNREFUSED 127.0.0.1:5432\n    at x",
        "127.0.0.1:5432",
    ),
    ("PG_SSL is required by some servers\nError: connect ECONNREFUSED ::1:6379", "::1:6379"),
    (
        'psycopg2.OperationalError: connection to server at "db.internal" (10.0.0.9), port 5432 failed: '
        "Connection refused",
        "db.internal:5432",
    ),
    ("Error: getaddrinfo ENOTFOUND postgres.internal", "postgres.internal"),
    (
        "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.",
        "localhost:6379",
    ),
    ("dial tcp 10.1.1.1:3306: connect: connection refused", "10.1.1.1:3306"),
    ("HTTPConnectionPool(host='localhost', port=8080): Max retries exceeded", "localhost:8080"),
    ("ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 9200)", "127.0.0.1:9200"),
    (
        "AggregateError [ECONNREFUSED]:\n{\n  address: '127.0.0.1',\n  port: 27017\n}",
        "127.0.0.1:27017",
    ),
    ("httpx.ConnectError: All connection attempts failed", "a service that it needs"),
]


@pytest.mark.parametrize(("text", "address"), DEPENDENCIES)
def test_a_dependency_that_cannot_be_reached_is_named(text: str, address: str) -> None:
    found = diagnosis_of(text)
    assert found.reason == ExitReason.UNREACHABLE_DEPENDENCY
    assert found.message == f"The server cannot reach {address}."


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("ModuleNotFoundError: No module named 'pandas'", "pandas"),
        ("/usr/bin/python3: No module named mcp_server_git", "mcp_server_git"),
        (
            "Error: Cannot find module '/srv/dist/index.js'\n    at x {\n  code: 'MODULE_NOT_FOUND'\n}",
            "/srv/dist/index.js",
        ),
        ("Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from /srv/index.js", "zod"),
    ],
)
def test_a_missing_module_is_named(text: str, module: str) -> None:
    found = diagnosis_of(text)
    assert (found.reason, found.message) == (
        ExitReason.PACKAGE_NOT_FOUND,
        f"The module {module} is missing.",
    )


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        (
            "Error [ERR_MODULE_NOT_FOUND]: Cannot find module "
            "'/root/.npm/_npx/6ddf87659f2ad8a4/node_modules/zod/a.js'"
            " imported from /root/.npm/_npx/6ddf87659f2ad8a4/node_modules/x/index.js",
            "/root/.npm/_npx/6ddf87659f2ad8a4",
        ),
        (
            "Error: Cannot find module 'es/2024'\nRequire stack:\n- /h/.npm/_npx/b7043670c3149184/x.js",
            "/h/.npm/_npx/b7043670c3149184",
        ),
        (
            "npm error code ENOTEMPTY\nnpm error path /h/.npm/_npx/b7043670c3149184/node_modules/a",
            "/h/.npm/_npx/b7043670c3149184",
        ),
        (
            "error: Failed to read metadata from installed package\n  Caused by: failed to open file "
            "`/h/.cache/uv/archive-v0/x0h8knk/METADATA`: No such file or directory (os error 2)",
            "/h/.cache/uv/archive-v0/x0h8knk",
        ),
    ],
)
def test_a_broken_cache_folder_is_named(text: str, folder: str) -> None:
    found = diagnosis_of(text)
    assert (found.reason, found.message) == (
        ExitReason.BROKEN_CACHE,
        f"The cache folder {folder} is broken.",
    )


def test_a_crash_quotes_the_last_line_of_standard_error() -> None:
    found = diagnosis_of("server starts\nserver: error: nothing to do for --port\n\n", code=2)
    assert (
        found.message == "The server ended with code 2 after 1.0 s: server: error: nothing to do for --port"
    )


def test_hostile_output_is_read_in_short_time() -> None:
    texts = ["/_npx" * 1600, "A_" * 4096, "A_B is " * 1200, " " * 8192, "1 validation error for S\n" * 300]
    began = time.process_time()
    for text in [*texts, "MODULE_NOT_FOUND" + "/" * 8000, "cannot " * 1100 + "/uv/"]:
        find_cause(text)
    assert time.process_time() - began < 2
