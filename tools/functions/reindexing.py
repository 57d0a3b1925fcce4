"""Re-indexing marks a server's text as changed; a worker is asked to index it after the commit."""

from django.db import transaction

from core import broker
from tools.models import MCPTool

INDEX = "tools.tasks.index_tools"


def outdate(server: MCPTool, *, with_functions: bool = False) -> None:
    """Marks the indexed text of a server as outdated; `with_functions` marks that of its tools, too.

    Must be called in the transaction of the change.
    """
    MCPTool.objects.filter(pk=server.pk).update(indexed_hash="")
    if with_functions:
        server.functions.update(indexed_hash="")
    transaction.on_commit(_ask_for_index)


def _ask_for_index() -> None:
    warning = "No worker was asked to index tools (%s); beat asks within half a minute."
    broker.send_hint(INDEX, warning=warning)
