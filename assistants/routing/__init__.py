"""The model `auto`: which assistant answers a conversation."""

from assistants.routing.router import AUTO, Route, route

__all__ = ["AUTO", "Route", "route"]
