"""Which of an assistant's servers cannot be called now, and how the model is told."""

from collections.abc import Mapping

from django.conf import settings

from assistants.catalogue.entries import AssistantEntry
from assistants.events import UnavailableTool
from connector.client import routes


async def unavailable(assistant: AssistantEntry) -> dict[int, UnavailableTool]:
    """Returns the assistant's servers that cannot be called, by their id. Those that start are awaited."""
    names = {server.id: server.name for server in assistant.servers}
    found = await routes.availability(names, wait_s=settings.SERVER_WAIT_S)
    return {
        server_id: UnavailableTool(names[server_id], problem.reason)
        for server_id, problem in found.items()
        if problem is not None
    }


def notice(missing: Mapping[int, UnavailableTool]) -> str:
    if not missing:
        return ""
    servers = "; ".join(f"{tool.server} ({tool.reason})" for tool in missing.values())
    line = f"These tool servers are unavailable now; where they are needed, say so in your answer: {servers}"
    return " ".join(line.split())
