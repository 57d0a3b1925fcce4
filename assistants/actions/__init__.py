"""The verbs of assistants, providers and runs. Views, the admin and commands use these alone."""

from assistants.actions.assistants import create, delete, duplicate, grant, update
from assistants.actions.providers import add_provider, delete_provider, update_provider
from assistants.actions.retention import delete_expired, delete_old
from assistants.actions.runs import cancel_run, delete_conversation, fail_abandoned_runs, tend_responses
from assistants.actions.tool_uses import Tools, ToolUse, ToolUseRefused

__all__ = [
    "ToolUse",
    "ToolUseRefused",
    "Tools",
    "add_provider",
    "cancel_run",
    "create",
    "delete",
    "delete_conversation",
    "delete_expired",
    "delete_old",
    "delete_provider",
    "duplicate",
    "fail_abandoned_runs",
    "grant",
    "tend_responses",
    "update",
    "update_provider",
]
