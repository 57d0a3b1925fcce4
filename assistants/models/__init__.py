from assistants.models.assistants import Alias, Assistant, AssistantQuerySet, AssistantTool
from assistants.models.expiring import Attempt, Expiring, HiddenRounds, RunCancellation, alive
from assistants.models.providers import Provider
from assistants.models.responses import ResponseEvents, StoredResponse
from assistants.models.runs import Conversation, Run, RunKind, RunQuerySet, RunStatus, ToolCall

__all__ = [
    "Alias",
    "Assistant",
    "AssistantQuerySet",
    "AssistantTool",
    "Attempt",
    "Conversation",
    "Expiring",
    "HiddenRounds",
    "Provider",
    "ResponseEvents",
    "Run",
    "RunCancellation",
    "RunKind",
    "RunQuerySet",
    "RunStatus",
    "StoredResponse",
    "ToolCall",
    "alive",
]
