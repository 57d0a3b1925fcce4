"""Assistants as the endpoints need them: whole, frozen, and from memory."""

from assistants.catalogue.cache import callable_by, find
from assistants.catalogue.endpoints import Endpoint, endpoint
from assistants.catalogue.entries import AssistantEntry, FunctionEntry, ServerEntry

__all__ = ["AssistantEntry", "Endpoint", "FunctionEntry", "ServerEntry", "callable_by", "endpoint", "find"]
