from assistants.models.assistants import Alias, Assistant, AssistantQuerySet, AssistantTool, Provider
from assistants.models.runs import Conversation, Run, RunQuerySet, RunStatus, ToolCall

__all__ = [
    "Alias",
    "Assistant",
    "AssistantQuerySet",
    "AssistantTool",
    "Conversation",
    "Provider",
    "Run",
    "RunQuerySet",
    "RunStatus",
    "ToolCall",
]
