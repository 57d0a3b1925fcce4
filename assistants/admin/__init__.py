"""Django imports this package to find the pages: one file a model."""

from assistants.admin import approvals, assistants, providers, rules, runs, webhooks

__all__ = ["approvals", "assistants", "providers", "rules", "runs", "webhooks"]
