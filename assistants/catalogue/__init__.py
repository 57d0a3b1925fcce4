"""The catalogue of assistants: frozen entries with all that a run needs, served from memory."""

from assistants.catalogue.cache import callable_by, enabled, find, load_one
from assistants.catalogue.endpoints import Endpoint, endpoint
from assistants.catalogue.entries import AssistantEntry, FunctionEntry, ServerEntry

__all__ = [
    "AssistantEntry",
    "Endpoint",
    "FunctionEntry",
    "ServerEntry",
    "callable_by",
    "enabled",
    "endpoint",
    "find",
    "load_one",
]
