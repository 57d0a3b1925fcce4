"""An installation with something of all that a configuration file holds, and the commands."""

import re
from io import StringIO
from typing import Any

from django.core.management import call_command

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions
from assistants.models import Assistant, Provider, Rule, Webhook
from core.actor import Actor
from tools import actions as server_actions
from tools.functions import actions as function_actions
from tools.functions.catalogue import record
from tools.models import MCPTool, ToolFunction

BY = Actor.system("tests")
SECRETS = (
    "sk-canary-provider",
    "canary-env-1",
    "canary-header-2",
    "ghp_" + "c4n4ry" * 6,
    "canary-path-8f3a9c2e7b1d",
)
_REFERENCE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def build() -> None:
    """Fills the database."""
    Rule.objects.all().delete()
    provider = actions.add_provider(by=BY, name="Model house", default_model="m-1", api_key=SECRETS[0])
    files = server_actions.register(
        by=BY, name="Files", connection_type="stdio", command="npx", approval="pinned",
        args=["-y", "files@1.0.0", "--token", SECRETS[3]], env={"TOKEN": SECRETS[1]},
        labels=["reads_private"],
    )  # fmt: skip
    web = server_actions.register(
        by=BY, name="Web", connection_type="streamable_http", url="https://mcp.example.com/mcp",
        headers={"Authorization": "Bearer ${TOKEN}", "X-Key": SECRETS[2]}, env={"TOKEN": SECRETS[1]},
        is_enabled=False, call_timeout_s=90,
    )  # fmt: skip
    record(files.pk, [definition("read"), definition("write")])
    tool = ToolFunction.objects.select_for_update().get(name="write")
    function_actions.update(tool, by=BY, is_enabled=False, overrides={"name": "put", "description": "Puts."})
    key = key_actions.issue(
        by=BY, name="alice", requests_per_minute=60, allowed_networks=["10.0.0.0/8"]
    ).api_key
    helper = actions.create(
        by=BY, name="Helper", provider=provider, aliases=["gpt-4o"], api_keys=[key],
        system_prompt="One.\nTwo.\n",
        parameters={"temperature": 0.5}, tools=[actions.ToolUse(files, ["read"], ["read"]), web],
    )  # fmt: skip
    actions.add_webhook(
        by=BY, name="Pager", url=f"https://hooks.example.com/{SECRETS[4]}", events=["server.down"]
    )
    actions.add_rule(by=BY, name="No writing", effect="deny", conditions={"functions": ["files__put"]})
    actions.add_rule(
        by=BY, name="Ask first", effect="ask", approver="caller", conditions={"servers": [web.pk]}
    )
    actions.add_rule(by=BY, name="Calm", effect="allow", scope="assistant", assistant=helper)


def definition(name: str, description: str = "It does something.") -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": {}}}


def clear() -> None:
    """Deletes all of it."""
    for model in (Rule, Assistant, Webhook, ApiKey, MCPTool, Provider):
        model._default_manager.all().delete()


def export() -> str:
    output = StringIO()
    call_command("export_config", stdout=output)
    return output.getvalue()


def apply(path: Any, *options: str) -> tuple[list[str], str]:
    """Applies a file, and returns the lines of the difference and what it says on standard error."""
    output, errors = StringIO(), StringIO()
    call_command("apply_config", str(path), *options, stdout=output, stderr=errors)
    return output.getvalue().splitlines(), errors.getvalue()


def names_in(text: str) -> list[str]:
    """Returns the variables to which a file refers."""
    return [name for name in _REFERENCE.findall(text) if name != "TOKEN"]
