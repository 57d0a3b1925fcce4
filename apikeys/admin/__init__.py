"""Django imports this package to find the pages: one file a model."""

from apikeys.admin import audit, groups, keys, people

__all__ = ["audit", "groups", "keys", "people"]
