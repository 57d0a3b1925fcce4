"""What the page of a run shows."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assistants.admin import waterfall
from assistants.admin.run_states import cause_of, look_of
from assistants.models import Run, ToolCall
from core.addresses import base_url
from core.admin.numbers import duration, whole
from tools.models import ToolFunction

_REASONS = {
    "forced": gettext_lazy("the request demanded it"),
    "pinned": gettext_lazy("pinned"),
    "named": gettext_lazy("called by its name"),
    "used": gettext_lazy("used before in this conversation"),
    "ranked": gettext_lazy("fits the request"),
    "listed": gettext_lazy("listed by name"),
}


def page_of(run: Run, request: HttpRequest, *, with_bodies: bool) -> dict[str, Any]:
    """Returns the context of the page. Without the right to them, no stored texts are read."""
    rows = run.tool_calls.order_by("position")
    calls = list(rows if with_bodies else rows.defer("arguments", "result"))
    icon, tone = look_of(run.status)
    return {
        "run": run,
        "state": {"word": run.get_status_display(), "icon": icon, "tone": tone},
        "name": run.assistant_slug or " ".join(f"{call.server} {call.function}" for call in calls),
        "error_cause": cause_of(run.error),
        "facts": _facts(run),
        "bars": [_row(bar, with_bodies=with_bodies) for bar in waterfall.bars(run, calls)],
        "may_see_approvals": request.user.has_perm("assistants.view_approval"),
        "ticks": [duration(tick) for tick in waterfall.ticks(run, calls)],
        "has_times": run.model_rounds is not None,
        "selection": _selection(run),
        "curl": _curl(run, calls, base_url(request), with_bodies=with_bodies),
        "bodies": _bodies(run) if with_bodies else [],
        "links": _links(run, request.user),
    }


def _facts(run: Run) -> list[tuple[Any, str]]:
    end_user = [(_("End user"), run.end_user)] if run.end_user else []
    if not run.is_chat:
        return [(_("Took"), duration(run.duration_ms)), (_("Kind"), run.get_kind_display()), *end_user]
    read, written = whole(run.prompt_tokens), whole(run.completion_tokens)
    tokens = _("%(read)s read, %(written)s written") % {"read": read, "written": written}
    estimated = f" ({_('estimated')})" if run.usage_estimated else ""
    return [
        (_("Took"), duration(run.duration_ms)),
        (_("First token after"), duration(run.first_token_ms)),
        (_("Tokens"), tokens + estimated),
        (_("Rounds of the model"), whole(run.rounds)),
        (_("Tool calls"), whole(run.server_tool_calls)),
        (_("Model"), run.model),
        *end_user,
    ]


def _links(run: Run, user: Any) -> dict[str, str]:
    """Addresses of the assistant and of the key: while they exist, and for who may see them."""
    links = {}
    if run.assistant_id and user.has_perm("assistants.view_assistant"):
        links["assistant"] = reverse("admin:assistants_assistant_change", args=[run.assistant_id])
    if run.api_key_id and user.has_perm("apikeys.view_apikey"):
        links["key"] = reverse("admin:apikeys_apikey_change", args=[run.api_key_id])
    return links


def _row(bar: waterfall.Bar, *, with_bodies: bool) -> dict[str, Any]:
    # Numbers of a style are written with a point, whatever the language.
    place = f"margin-left: {bar.left:.2f}%; width: {bar.width:.2f}%"
    row = {
        "bar": bar,
        "place": place if bar.started_ms is not None else "",
        "started": duration(bar.started_ms),
        "took": duration(bar.duration_ms),
    }
    if bar.tokens:
        read, written = map(whole, bar.tokens)
        return row | {"detail": _("%(read)s read, %(written)s written") % {"read": read, "written": written}}
    return row | _call(bar.call, with_bodies=with_bodies) if bar.call else row


def _call(call: ToolCall, *, with_bodies: bool) -> dict[str, Any]:
    icon, tone = look_of(call.status)
    size = _("result of %(count)s characters") % {"count": whole(call.result_size)}
    shown: dict[str, Any] = {
        "detail": size if call.status != ToolCall.Status.CANCELLED else "",
        "state": {"word": call.get_status_display(), "icon": icon, "tone": tone},
        "error": call.error,
        "cause": cause_of(call.error),
    }
    if with_bodies and call.arguments is not None:
        shown["arguments"] = json.dumps(call.arguments, indent=2, ensure_ascii=False)
    if with_bodies and call.result is not None:
        shown["result"] = call.result
    return shown


def _selection(run: Run) -> dict[str, Any] | None:
    if run.selection is None:
        return None
    candidates: Sequence[dict[str, Any]] = run.selection["candidates"]
    return {
        **run.selection,
        "searched": run.selection["mode"] == "search",
        "candidates": [
            {**each, "why": _REASONS.get(each["reason"], each["reason"]), "score": _score(each["score"])}
            for each in candidates
        ],
        "chosen": sum(each["chosen"] for each in candidates),
    }


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def _bodies(run: Run) -> list[tuple[Any, str]]:
    stored = ((_("What was asked"), run.request), (_("The answer"), run.answer))
    return [(title, text) for title, text in stored if text is not None]


def _asked(run: Run, *, with_bodies: bool) -> str:
    return (run.request if with_bodies else None) or _("What can you do?")


def _curl(run: Run, calls: Sequence[ToolCall], base: str, *, with_bodies: bool) -> str:
    """Returns a command that asks the same assistant; "" where none was asked, or the tool is gone."""
    if run.is_chat:
        messages = [{"role": "user", "content": _asked(run, with_bodies=with_bodies)}]
        return curl(f"{base}/v1/chat/completions", {"model": run.assistant_slug, "messages": messages})
    if not run.assistant_slug or not calls or (name := _public_name(calls[0])) is None:
        return ""
    arguments = (calls[0].arguments if with_bodies else None) or {}
    return curl(f"{base}/api/v1/assistants/{run.assistant_slug}/tools/{name}", arguments)


def _public_name(call: ToolCall) -> str | None:
    rows = ToolFunction.objects.present().filter(server=call.mcp_tool_id, name=call.function)
    return rows.values_list("public_name", flat=True).first()


def curl(url: str, body: dict[str, Any]) -> str:
    """Returns a command that posts JSON; `$API_KEY` stands for the key."""
    lines = [
        f"curl {shlex.quote(url)}",
        '-H "Authorization: Bearer $API_KEY"',
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(lines)
