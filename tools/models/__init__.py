"""Models of MCP servers (`MCPTool`), their tools (`ToolFunction`) and capabilities (`Offer`)."""

from tools.choices import Approval, ConnectionType, Label, Status
from tools.indexed import Embedded, EmbedderFailure, FunctionUse, WordCount
from tools.models.functions import WORD_DIMENSIONS, ToolFunction, ToolFunctionQuerySet
from tools.models.servers import MCPTool, MCPToolQuerySet, validate_slug
from tools.offers import Offer

__all__ = [
    "WORD_DIMENSIONS",
    "Approval",
    "ConnectionType",
    "Embedded",
    "EmbedderFailure",
    "FunctionUse",
    "Label",
    "MCPTool",
    "MCPToolQuerySet",
    "Offer",
    "Status",
    "ToolFunction",
    "ToolFunctionQuerySet",
    "WordCount",
    "validate_slug",
]
