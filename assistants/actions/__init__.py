"""The verbs of assistants, providers and runs. Views, the admin and commands use these alone."""

from assistants.actions.assistants import create, delete, duplicate, grant, update
from assistants.actions.providers import add_provider, delete_provider, update_provider
from assistants.actions.retention import delete_expired, delete_old
from assistants.actions.runs import cancel_run, delete_conversation, fail_abandoned_runs, tend_responses
from assistants.actions.tool_uses import Tools, ToolUse, ToolUseRefused
from assistants.actions.webhooks import (
    add_webhook,
    delete_webhook,
    resend_delivery,
    rotate_webhook_secret,
    update_webhook,
)

__all__ = [
    "ToolUse",
    "ToolUseRefused",
    "Tools",
    "add_provider",
    "add_webhook",
    "cancel_run",
    "create",
    "delete",
    "delete_conversation",
    "delete_expired",
    "delete_old",
    "delete_provider",
    "delete_webhook",
    "duplicate",
    "fail_abandoned_runs",
    "grant",
    "resend_delivery",
    "rotate_webhook_secret",
    "tend_responses",
    "update",
    "update_provider",
    "update_webhook",
]
