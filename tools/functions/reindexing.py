"""What verbs call where they change what tools are found by. Who indexes hears of it after the commit."""

from django.db import transaction

from tools.models import MCPTool
from tools.signals import catalogue_changed


def outdate(server: MCPTool, *, with_functions: bool = False) -> None:
    """The server's text has changed, and with it that of its functions where each of them tells of it.

    Must be called in the transaction of the change.
    """
    MCPTool.objects.filter(pk=server.pk).update(indexed_hash="")
    if with_functions:
        server.functions.update(indexed_hash="")
    transaction.on_commit(lambda: catalogue_changed.send(MCPTool))
