"""Tools that run as tasks: called, followed and fetched, so that a call of one is as any other call.

Source: MCP 2025-11-25, basic/utilities/tasks. The version after it has no such tasks.
"""

import asyncio
from contextlib import suppress
from typing import Any

from django.conf import settings
from mcp import MCPError
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import CreateTaskResult, GetTaskResult, Task
from mcp.types.methods import validate_server_result

from connector.session.wire_session import WireSession

RELATED_TASK = "io.modelcontextprotocol/related-task"
POLL_S, SHORTEST_POLL_S, LONGEST_POLL_S = 1.0, 0.1, 5.0
CANCEL_S = 5.0
_cancelling: set[asyncio.Task[None]] = set()


def are_offered(mcp: WireSession) -> bool:
    """Whether the server runs calls of tools as tasks, if it is asked to."""
    tasks = mcp.server_capabilities.tasks if mcp.server_capabilities is not None else None
    requests = tasks.requests if tasks is not None else None
    return requests is not None and requests.tools is not None and requests.tools.call is not None


async def call(mcp: WireSession, params: dict[str, Any], on_progress: ProgressFnT) -> dict[str, Any]:
    """Returns the result of a `tools/call` with these params. Cancelling this cancels the task.

    What the server says of the task while it works is reported as progress. Raises MCPError, and
    ValidationError for a broken answer.
    """
    followed = _Followed(on_progress)
    wanted = {"ttl": int(settings.MCP_CALL_CEILING_S * 1000)}
    created = await mcp.send_unchecked("tools/call", {**params, "task": wanted}, followed.report)
    if "task" not in created:
        return _checked(mcp, created)  # it has answered at once
    task: Task = CreateTaskResult.model_validate(created, by_name=False).task
    about = {"taskId": task.task_id}
    try:
        while task.status == "working":
            await asyncio.sleep(_poll_s(task))
            task = GetTaskResult.model_validate(await mcp.send_unchecked("tasks/get", about), by_name=False)
            await followed.heed(task)
        # What the server asks back on the way comes to the session while this waits.
        return _checked(mcp, await mcp.send_unchecked("tasks/result", about, followed.report))
    except asyncio.CancelledError:
        cancelling = asyncio.create_task(_cancel(mcp, about))
        _cancelling.add(cancelling)
        cancelling.add_done_callback(_cancelling.discard)
        raise


class _Followed:
    """Counts on where the server's own progress ended: it must grow."""

    def __init__(self, on_progress: ProgressFnT) -> None:
        self._on_progress = on_progress
        self._progress = 0.0
        self._message: str | None = None

    async def report(self, progress: float, total: float | None, message: str | None) -> None:
        self._progress = max(progress, self._progress)
        await self._on_progress(progress, total, message)

    async def heed(self, task: Task) -> None:
        if task.status_message != self._message:
            self._message = task.status_message
            await self.report(self._progress + 1, None, task.status_message)


def _checked(mcp: WireSession, result: dict[str, Any]) -> dict[str, Any]:
    validate_server_result("tools/call", mcp.protocol_version or "", result)
    meta = result.get("_meta")
    if isinstance(meta, dict) and RELATED_TASK in meta:
        # Whoever called knows of no task.
        rest = {name: value for name, value in meta.items() if name != RELATED_TASK}
        result = {name: value for name, value in result.items() if name != "_meta"}
        return {**result, "_meta": rest} if rest else result
    return result


def _poll_s(task: Task) -> float:
    wanted_s = POLL_S if task.poll_interval is None else task.poll_interval / 1000
    return min(max(wanted_s, SHORTEST_POLL_S), LONGEST_POLL_S)


async def _cancel(mcp: WireSession, about: dict[str, Any]) -> None:
    with suppress(MCPError, TimeoutError):
        async with asyncio.timeout(CANCEL_S):
            await mcp.send_unchecked("tasks/cancel", about)
