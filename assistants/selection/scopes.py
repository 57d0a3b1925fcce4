"""The scope of a search for an assistant's tools."""

from assistants.models import Assistant, AssistantTool
from tools.search import Scope


def scope_of(assistant: Assistant) -> Scope:
    """Returns all tools that the assistant may use. An empty list of functions means all of the server."""
    used = AssistantTool.objects.filter(assistant=assistant, mcp_tool__deleted_at=None)
    functions = dict(used.values_list("mcp_tool_id", "functions"))
    narrowed = {server: frozenset(names) for server, names in functions.items() if names}
    return Scope(frozenset(functions), narrowed, assistant.pk if assistant.learns else None)
