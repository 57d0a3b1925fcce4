"""The console's pages of the connector: one file a model. Django imports this package to register them."""

from connector.admin import grants, instances

__all__ = ["grants", "instances"]
