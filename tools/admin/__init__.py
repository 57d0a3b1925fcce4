"""Django imports this package to find the pages: one file a model."""

from tools.admin import functions, servers

__all__ = ["functions", "servers"]
