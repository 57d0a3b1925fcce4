"""Django imports this package to find the pages: one file a model."""

from assistants.admin import assistants, providers, runs

__all__ = ["assistants", "providers", "runs"]
