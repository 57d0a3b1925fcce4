"""The verbs of assistants, providers and runs. Views, the admin and commands use these alone."""

from assistants.actions.assistants import create, delete, duplicate, grant, update
from assistants.actions.providers import add_provider, delete_provider, update_provider
from assistants.actions.retention import delete_expired, delete_old
from assistants.actions.rules import (
    LAST_POSITION,
    add_rule,
    checked_rule,
    delete_rule,
    reorder_rules,
    update_rule,
)
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
    "LAST_POSITION",
    "ToolUse",
    "ToolUseRefused",
    "Tools",
    "add_provider",
    "add_rule",
    "add_webhook",
    "cancel_run",
    "checked_rule",
    "create",
    "delete",
    "delete_conversation",
    "delete_expired",
    "delete_old",
    "delete_provider",
    "delete_rule",
    "delete_webhook",
    "duplicate",
    "fail_abandoned_runs",
    "grant",
    "reorder_rules",
    "resend_delivery",
    "rotate_webhook_secret",
    "tend_responses",
    "update",
    "update_provider",
    "update_rule",
    "update_webhook",
]
