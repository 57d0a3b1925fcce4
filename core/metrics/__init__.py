"""What is counted and measured for Prometheus, of all apps: docs/observability.md describes each."""

from core.metrics.instruments import SHORT_SECONDS, Count, Duration, Level, bounded, declared

__all__ = ["bounded", "declared"]

# An instrument without labels would open its file when it is made, in the process whose forks are to have
# files of their own: where there is nothing to tell apart, the label is "of" something.
REQUESTS = Count("mcp_connector_requests", "Requests answered.", ["endpoint", "status"])
REQUEST_SECONDS = Duration(
    "mcp_connector_request_duration_seconds", "From a request's head to the end of its answer.", ["endpoint"]
)
RUNS = Count("mcp_connector_runs", "Runs of assistants that have ended.", ["status"])
FIRST_TOKEN_SECONDS = Duration(
    "mcp_connector_time_to_first_token_seconds", "From a run's start to its first text.", ["status"]
)
TOKENS = Count("mcp_connector_tokens", "Tokens that runs have used.", ["kind"])
LLM_CALLS = Count("mcp_connector_llm_calls", "Calls of language models.", ["provider", "status"])
LLM_SECONDS = Duration(
    "mcp_connector_llm_call_duration_seconds", "To the end of a language model's answer.", ["provider"]
)
TOOL_CALLS = Count("mcp_connector_tool_calls", "Calls of tools, as callers saw them.", ["server", "outcome"])
TOOL_SECONDS = Duration(
    "mcp_connector_tool_call_duration_seconds", "Of a call of a tool, waiting included.", ["server"]
)
HOP_SECONDS = Duration(
    "mcp_connector_hop_duration_seconds",
    "A request to a server, as the process that sent it to a worker saw it (side=caller) and as the worker "
    "did (side=worker).",
    ["side"],
    SHORT_SECONDS,
)
MCP_REQUESTS = Count("mcp_connector_mcp_requests", "Requests of MCP clients.", ["method", "outcome"])
MCP_SESSIONS = Count("mcp_connector_mcp_sessions_opened", "Sessions that MCP clients opened.", ["version"])
SERVER_EXITS = Count(
    "mcp_connector_server_exits", "Ends of MCP servers that nobody asked for.", ["server", "reason"]
)
TASKS = Count("mcp_connector_tasks", "Tasks of Celery.", ["task", "outcome"])
TASK_SECONDS = Duration("mcp_connector_task_duration_seconds", "Of a task of Celery.", ["task"])
FEED_LOSSES = Count("mcp_connector_feed_losses", "Losses of a change feed's connection.", ["error"])
DATABASE_SECONDS = Duration(
    "mcp_connector_database_seconds",
    "Use of the ORM from an event loop: the wait for a connection, and the queries.",
    ["outcome"],
    SHORT_SECONDS,
)
DATABASE_CONNECTIONS = Level(
    "mcp_connector_database_connections", "Connections of the pools, and who waits for one.", ["state"]
)


def tool_called(server: str, failure: str | None, seconds: float) -> None:
    """Counts a call of a tool of the server with this slug. `failure`: its code; "" or None for success."""
    name = bounded(server)
    TOOL_CALLS.add(name, failure or "ok")
    TOOL_SECONDS.observe(seconds, name)
