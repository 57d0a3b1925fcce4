"""Django imports this package to find the pages: one file a model."""

from connector.admin import grants, instances

__all__ = ["grants", "instances"]
