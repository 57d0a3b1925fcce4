from assistants.models.approvals import Approval, ApprovalQuerySet, ApprovalState, HeldAnswer
from assistants.models.assistants import Alias, Assistant, AssistantQuerySet, AssistantTool
from assistants.models.expiring import Attempt, Expiring, HiddenRounds, RunCancellation, alive
from assistants.models.providers import Provider
from assistants.models.responses import ResponseEvents, StoredResponse
from assistants.models.rules import Approver, Effect, Rule
from assistants.models.runs import Conversation, Run, RunKind, RunQuerySet, RunStatus, ToolCall
from assistants.models.webhooks import Delivery, DeliveryState, Webhook

__all__ = [
    "Alias",
    "Approval",
    "ApprovalQuerySet",
    "ApprovalState",
    "Approver",
    "Assistant",
    "AssistantQuerySet",
    "AssistantTool",
    "Attempt",
    "Conversation",
    "Delivery",
    "DeliveryState",
    "Effect",
    "Expiring",
    "HeldAnswer",
    "HiddenRounds",
    "Provider",
    "ResponseEvents",
    "Rule",
    "Run",
    "RunCancellation",
    "RunKind",
    "RunQuerySet",
    "RunStatus",
    "StoredResponse",
    "ToolCall",
    "Webhook",
    "alive",
]
