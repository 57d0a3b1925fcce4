"""Routes the model `auto` to the assistant that a conversation is about."""

from assistants.routing.router import AUTO, Route, route

__all__ = ["AUTO", "Route", "route"]
