"""Schemas of tools as LLM services accept them, and the way back of the arguments that models write."""

from assistants.catalogue.tool_schemas.offered import Offered, offered
from assistants.catalogue.tool_schemas.plain import plain

__all__ = ["Offered", "offered", "plain"]
