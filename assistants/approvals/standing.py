"""Whether an approved call still stands: whatever was true when it was asked about is checked anew."""

from dataclasses import dataclass, field
from typing import Any

from apikeys.limits import budget
from apikeys.principal import Principal
from assistants.actions.approval_askers import Askers
from assistants.actions.approval_edits import function_of, judged
from assistants.actions.approval_rights import why_not
from assistants.actions.approvals import CALLER
from assistants.approvals.gate import refusal
from assistants.catalogue import FunctionEntry
from assistants.models import Approval, Approver, AssistantTool, Effect
from assistants.rules import Verdict
from core.actor import Actor
from core.database import in_thread
from core.message import Message
from tools.arguments import InvalidArguments, checked_here
from tools.secrets.encryption import Unreadable

UNREADABLE = Message("The arguments of the call cannot be decrypted any more.")
NOT_OFFERED = Message("The tool is not offered any more, or its server is stopped.")
NOT_USED = Message("The assistant does not use the tool any more.")
NOT_FITTING = Message("The tool's definition has changed, and the arguments do not fit it any more.")
DECIDER_GONE = Message("Whoever approved the call may not do so any more.")
SPENT = Message("The API key that asked has spent its tokens of this month.")
FILTERED = "Not called: this installation's filter changed the arguments, and staff must decide about them."


@dataclass(frozen=True, slots=True)
class Stands:
    """The call may be made, with these arguments."""

    function: FunctionEntry
    arguments: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """The tool, how its server is reached, or who must decide is not what it was: it must be asked anew."""

    function: FunctionEntry
    approver: Approver


@dataclass(frozen=True, slots=True)
class Fell:
    """The call must not be made. `reason` is for people and the model."""

    reason: str


def standing(approval: Approval) -> Stands | Changed | Fell:
    """Compares an approved call with the database as it is now."""
    askers = Askers([approval])
    if reason := _why_not(approval, askers):
        return Fell(reason)
    sent, function = approval.sent_arguments, function_of(approval)
    if function is None:
        return Fell(NOT_OFFERED)
    verdict = judged(approval, function, sent, askers.principal(approval))
    if verdict.effect == Effect.DENY:
        return Fell(refusal(verdict))
    approver = Approver.STAFF if _asks_staff(verdict) else Approver(approval.approver)
    is_decided = approver == Approver.CALLER or approval.decider_kind != CALLER
    if _has_changed(approval, function) or not is_decided:
        # What was asked about first: an edit is part of the decision, which is cleared.
        return Changed(function, approver) if _fits(function, approval.arguments) else Fell(NOT_FITTING)
    return Stands(function, dict(verdict.arguments))


@in_thread
def filtered(number: int, function: FunctionEntry, arguments: dict[str, Any]) -> Stands | Fell:
    """Asks the rules about what the external filter made of an approved call, which nobody has seen."""
    approval = Approval.objects.get(pk=number)
    verdict = judged(approval, function, arguments, Askers([approval]).principal(approval))
    if verdict.effect == Effect.DENY:
        return Fell(refusal(verdict))
    if _asks_staff(verdict) and approval.decider_kind == CALLER:
        return Fell(FILTERED)
    return Stands(function, dict(verdict.arguments))


def _why_not(approval: Approval, askers: Askers) -> Message | None:
    if isinstance(approval.sent_arguments, Unreadable):
        return UNREADABLE
    return (
        askers.why_gone(approval)
        or _why_not_decided(approval)
        or _why_not_used(approval)
        or _why_not_paid(askers.principal(approval))
    )


def _asks_staff(verdict: Verdict) -> bool:
    return verdict.effect == Effect.ASK and verdict.approver == Approver.STAFF


def _has_changed(approval: Approval, function: FunctionEntry) -> bool:
    asked_about = approval.definition_hash, approval.generation
    return asked_about != (function.definition_hash, function.generation)


def _fits(function: FunctionEntry, arguments: dict[str, Any]) -> bool:
    try:
        checked_here(function.input_schema, arguments)
    except InvalidArguments:
        return False
    return True


def _why_not_decided(approval: Approval) -> Message | None:
    if approval.decider_kind == CALLER:  # who asked, which stands
        return None
    decider = Actor(approval.decider_kind, approval.decided_by, approval.decider_id)
    return DECIDER_GONE if why_not(approval, decider) else None


def _why_not_used(approval: Approval) -> Message | None:
    if not approval.assistant_slug:
        return None
    links = AssistantTool.objects.filter(assistant=approval.assistant_id, mcp_tool=approval.mcp_tool_id)
    link = links.only("functions").first()
    is_used = link is not None and (not link.functions or approval.function in link.functions)
    return None if is_used else NOT_USED


def _why_not_paid(principal: Principal) -> Message | None:
    limit = principal.limits.tokens_per_month
    is_spent = principal.user_id is None and limit is not None and budget.read(principal.id) >= limit
    return SPENT if is_spent else None
