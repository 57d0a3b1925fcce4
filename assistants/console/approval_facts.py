"""What the page of an approval shows: who asks for what, until when, and what became of it."""

import json
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from assistants.actions import approval_covers as covers
from assistants.actions.approval_rights import why_not
from assistants.admin.approval_states import meaning, pill_of
from assistants.approvals import Failure, NotMade, Result
from assistants.approvals.outcomes import outcome_of
from assistants.models import Approval, ApprovalState, Run
from core.actor import Actor
from core.admin.text import escaped
from tools.models import ToolFunction

BODIES = "assistants.view_run_bodies"
LARGEST_SCHEMA = 256 * 1024
LONGEST_EDITED = 100_000
"""Characters of arguments that can be changed in the page."""


@dataclass(frozen=True, slots=True)
class Fact:
    """`text` may be written by servers or callers. `url` is empty for who may not follow it."""

    term: Any
    text: str
    url: str = ""


def facts(approval: Approval, user: Any) -> list[Fact]:
    """Returns who asks for what, by which rule."""
    return [
        Fact(_("Tool"), approval.function, _tool(approval, user)),
        Fact(_("Server"), approval.server, _server(approval, user)),
        *_asker(approval, user),
        *([Fact(_("On behalf of"), approval.end_user)] if approval.end_user else []),
        Fact(_("Assistant"), approval.assistant_slug or _("none"), _assistant(approval, user)),
        Fact(_("Asked because of"), *_rule(approval, user)),
        Fact(_("Who decides"), approval.get_approver_display()),
        Fact(_("Run"), approval.run_id, _run(approval, user)),
    ]


def state_of(approval: Approval, user: Any) -> dict[str, Any]:
    """Returns how far the call is: what moves while the page is open."""
    return {
        "approval": approval,
        "pill": pill_of(approval),
        "meaning": meaning(approval),
        "is_waiting": approval.state == ApprovalState.WAITING,
        "edited": _json(approval.edited_arguments) if approval.edited_arguments is not None else "",
        "outcome": _outcome(approval, user),
    }


def decision_of(approval: Approval, user: Any) -> dict[str, Any]:
    """Returns whether this person may decide about the call, and if not, why."""
    if approval.state != ApprovalState.WAITING:
        return {"may_decide": False, "why_not": ""}
    problem = why_not(approval, Actor("staff", user.get_username(), user.pk))
    return {"may_decide": not problem, "why_not": problem, "schema": _schema(approval)}


def arguments_of(approval: Approval, *, is_revealed: bool) -> dict[str, Any]:
    """Returns the arguments as text, with what looks like secrets covered unless it is revealed."""
    show = covers.revealed if is_revealed else covers.covered
    text = _indented(show(approval.arguments))
    return {
        "arguments": text,
        "is_editable": len(text) <= LONGEST_EDITED,
        "has_covers": not is_revealed and covers.has_covers(approval.arguments),
    }


def _json(arguments: Any) -> str:
    return _indented(covers.covered(arguments))


def _indented(value: Any) -> str:
    """Returns JSON that can be read and edited: what would hide or reorder text is escaped."""
    return escaped(json.dumps(value, indent=2, ensure_ascii=False))


def _outcome(approval: Approval, user: Any) -> dict[str, Any]:
    """Returns what the call came to. What the tool answered is for those who may read texts of runs."""
    if approval.state != ApprovalState.DONE:
        return {}
    if not user.has_perm(BODIES):
        return {"hidden": True}
    match outcome_of(approval):
        case Result() as made:
            content = made.result.get("content") or []
            return {"text": "\n".join(map(_text, content)), "is_error": made.result.get("isError") is True}
        case Failure() as failure:
            return {"text": str(failure.message), "is_error": True}
        case NotMade() | None:
            return {}


def _text(block: Any) -> str:
    """Returns a block of a result as text; of one without a text its kind."""
    if not isinstance(block, dict):
        return str(block)
    return str(block["text"]) if "text" in block else f"[{block.get('type', '?')}]"


def _schema(approval: Approval) -> dict[str, Any] | None:
    """Returns the schema of the tool's arguments, for a form; None without one that is small enough."""
    rows = ToolFunction.objects.present().filter(server=approval.mcp_tool_id, name=approval.function)
    schema: dict[str, Any] | None = rows.values_list("input_schema", flat=True).first()
    return schema if schema and len(json.dumps(schema)) <= LARGEST_SCHEMA else None


def _asker(approval: Approval, user: Any) -> list[Fact]:
    if not approval.api_key_name:
        return [Fact(_("Asked by"), _("%(name)s, in the playground") % {"name": approval.username})]
    may_see = approval.api_key_id and user.has_perm("apikeys.view_apikey")
    url = reverse("admin:apikeys_apikey_change", args=[approval.api_key_id]) if may_see else ""
    return [Fact(_("Asked by"), f"{approval.api_key_name} ({approval.key_prefix})", url)]


def _tool(approval: Approval, user: Any) -> str:
    if not approval.mcp_tool_id or not user.has_perm("tools.view_toolfunction"):
        return ""
    rows = ToolFunction.objects.present().filter(server=approval.mcp_tool_id, name=approval.function)
    page = reverse("admin:tools_mcptool_functions", args=[approval.mcp_tool_id])
    return f"{page}?q={approval.public_name}" if rows.exists() else ""


def _server(approval: Approval, user: Any) -> str:
    if not approval.mcp_tool_id or not user.has_perm("tools.view_mcptool"):
        return ""
    return reverse("admin:tools_mcptool_change", args=[approval.mcp_tool_id])


def _assistant(approval: Approval, user: Any) -> str:
    if not approval.assistant_id or not user.has_perm("assistants.view_assistant"):
        return ""
    return reverse("admin:assistants_assistant_change", args=[approval.assistant_id])


def _rule(approval: Approval, user: Any) -> tuple[str, str]:
    if not approval.rule_name:
        return _("The caller's own request to be asked"), ""
    may_see = approval.rule_id and user.has_perm("assistants.view_rule")
    url = reverse("admin:assistants_rule_change", args=[approval.rule_id]) if may_see else ""
    return _("The rule “%(name)s”") % {"name": approval.rule_name}, url


def _run(approval: Approval, user: Any) -> str:
    """Returns the address of the run, which is recorded once it has ended."""
    if not user.has_perm("assistants.view_run"):
        return ""
    run = Run.objects.filter(run_id=approval.run_id).values_list("pk", flat=True).first()
    return reverse("admin:assistants_run_change", args=[run]) if run else ""
