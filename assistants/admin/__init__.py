"""Django imports this package to find the pages: one file a model."""

from assistants.admin import assistants, runs

__all__ = ["assistants", "runs"]
