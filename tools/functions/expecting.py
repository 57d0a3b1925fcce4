"""The verbs of tools that no server has listed yet: what staff say of them holds from the first listing on.

Such a tool has no definition: its `definition_hash` is empty.
"""

from django.db import transaction
from django.utils import timezone

from apikeys import audit
from core.actor import Actor
from tools.functions.actions import taken_names
from tools.models import MCPTool, ToolFunction
from tools.names import public_name


@transaction.atomic
def expect(server: MCPTool, name: str, *, by: Actor) -> ToolFunction:
    """Adds a tool that the server does not offer now. `server` must be locked, as in a listing."""
    function = ToolFunction(server=server, name=name, removed_at=timezone.now())
    function.public_name = public_name(server.slug, name, taken=taken_names(server))
    function.save(force_insert=True)
    audit.created(function, by=by)
    return function


@transaction.atomic
def approve_expected(function: ToolFunction, definition_hash: str, *, by: Actor) -> None:
    """Approves the definition with this hash. `function` must be locked.

    Should its server be pinned and list another definition, the tool waits for approval.
    """
    with audit.changing(function, by=by, action="approved"):
        function.approved_hash = definition_hash
        function.version += 1
        function.save(update_fields=["approved_hash", "version", "updated_at"])
