"""Whose results are without secrets: assistants say so, for what the servers that they use return."""

from collections.abc import Collection

from assistants.catalogue.entries import AssistantEntry
from assistants.models import AssistantTool
from core.database import in_thread
from core.feed import FeedCache

TABLES = ("assistants_assistant", "assistants_assistanttool")


async def masks_secrets(server_id: int, assistants: Collection[AssistantEntry | None]) -> bool:
    """Whether one of these assistants has secrets masked in what a server says.

    None stands for callers without an assistant: for them any assistant counts that uses the server.
    """
    if None in assistants and server_id in await _masked.get(None):
        return True
    concerned = (each for each in assistants if each is not None and each.masks_secrets)
    return any(server.id == server_id for each in concerned for server in each.servers)


@in_thread
def _load(_: None) -> frozenset[int]:
    """Returns the ids of the servers of which any assistant masks secrets."""
    links = AssistantTool.objects.filter(assistant__masks_secrets=True)
    return frozenset(links.values_list("mcp_tool_id", flat=True))


_masked: FeedCache[None, frozenset[int]] = FeedCache(_load, TABLES)
