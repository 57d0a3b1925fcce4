"""The inspector of a server: its tools, prompts and resources, and forms to try them."""

from dataclasses import asdict
from typing import Any

import orjson
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View

from connector.admin import inspection
from connector.admin.inspection import LONGEST_URI, PERMISSION, Inspected
from connector.admin.server_page import ServerPage
from connector.client.direct_calls import Refused
from core import strict_json
from core.actor import Actor
from core.admin.text import shown
from core.errors import InvalidRequest
from tools.models import MCPTool, Offer, ToolFunction

MOST_LISTED = 200
LARGEST_SCHEMA = 256 * 1024
"""Bytes. A form for a larger one is not made: its arguments are written as JSON."""


class Inspector(ServerPage):
    """`?tool=ID`, `?prompt=NAME` or `?resource=URI` is the chosen one. `?q=` searches among the tools."""

    permission_required = PERMISSION
    template_name = "admin/connector/server/inspector.html"
    tab = "inspector"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        query = self.request.GET.get("q", "").replace("\0", "")[:255]
        tools = ToolFunction.objects.present().filter(server=self.server).without_vectors().order_by("name")
        found = tools.filter(public_name__icontains=query) if query else tools
        offers = Offer.objects.filter(server=self.server).order_by("kind", "identity")
        chosen = self._chosen(tools, offers)
        return super().get_context_data(
            query=query,
            tools=found.only("public_name", "is_enabled", "server_id")[:MOST_LISTED],
            prompts=_listed(offers.filter(kind=Offer.Kind.PROMPT)),
            resources=_listed(offers.exclude(kind=Offer.Kind.PROMPT)),
            chosen=chosen,
            script=_script(chosen, self.server) if chosen else None,
            **kwargs,
        )

    def _chosen(self, tools: Any, offers: Any) -> dict[str, Any] | None:
        asked = self.request.GET
        if (pk := asked.get("tool", "")) and pk.isascii() and pk.isdigit() and len(pk) < 19:
            return _as_tool(tools.filter(pk=int(pk)).first())
        for name, kinds in (("prompt", ["prompt"]), ("resource", ["resource", "template"])):
            if identity := asked.get(name, "").replace("\0", ""):
                return _as_offer(name, offers.filter(kind__in=kinds, identity=identity).first())
        return None


class InspectorCall(PermissionRequiredMixin, View):
    """POST `{kind, id, arguments, confirmed}`. Answers `{parts, duration_ms, is_error, failure}`.

    409 `{code, message}` if the call was not made: `confirm` wants to be asked again with `confirmed`.
    """

    permission_required = PERMISSION
    raise_exception = True
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        known = MCPTool.objects.present().without_vectors().defer("args", "env", "url", "headers")
        server = get_object_or_404(known, pk=pk)
        try:
            sent = strict_json.loads(request.body)
            return JsonResponse(asdict(_inspected(server, sent, Actor.of(request))))
        except Refused as refused:
            return JsonResponse({"code": refused.code, "message": str(refused)}, status=409)
        except InvalidRequest as error:
            return JsonResponse({"code": "refused", "message": str(error.detail)}, status=400)


def _inspected(server: MCPTool, sent: dict[str, Any], by: Actor) -> Inspected:
    kind, identity, arguments = sent.get("kind"), sent.get("id"), sent.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Refused(_("The arguments are not a JSON object."))
    if kind == "tool" and isinstance(identity, int) and abs(identity) < 2**63:
        confirmed = sent.get("confirmed") is True
        return inspection.call_tool(server, identity, arguments, by=by, confirmed=confirmed)
    if kind == "prompt" and isinstance(identity, str):
        return inspection.get_prompt(server, identity, arguments, by=by)
    if kind == "resource" and isinstance(arguments.get("uri"), str):
        return inspection.read_resource(server, arguments["uri"], by=by)
    raise Refused(_("Choose a tool, a prompt or a resource."))


def _listed(offers: QuerySet[Offer]) -> list[Offer]:
    """Returns those that a link can lead to, without their definitions."""
    return [each for each in offers.defer("definition")[:MOST_LISTED] if len(each.identity) <= LONGEST_URI]


def _as_tool(function: ToolFunction | None) -> dict[str, Any] | None:
    if function is None:
        return None
    size = len(orjson.dumps(function.input_schema))
    return {
        "kind": "tool",
        "id": function.pk,
        "title": function.public_name,
        "description": shown(function.description),
        "schema": function.input_schema if size <= LARGEST_SCHEMA else None,
        "is_read_only": function.annotations.get("readOnlyHint") is True,
    }


def _as_offer(kind: str, offer: Offer | None) -> dict[str, Any] | None:
    if offer is None:
        return None
    schema = _schema_of_prompt(offer.definition) if kind == "prompt" else _schema_of_resource(offer)
    return {
        "kind": kind,
        "id": offer.identity,
        "title": shown(offer.definition.get("title") or offer.identity, most=200),
        "description": shown(offer.definition.get("description") or ""),
        "schema": schema if len(orjson.dumps(schema)) <= LARGEST_SCHEMA else None,
        "is_read_only": True,
    }


def _schema_of_prompt(definition: dict[str, Any]) -> dict[str, Any]:
    """Returns a schema for a prompt's arguments, which are all texts."""
    listed = definition.get("arguments")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return {
        "type": "object",
        "properties": {
            str(each.get("name")): {"type": "string", "description": str(each.get("description") or "")}
            for each in found
        },
        "required": [str(each.get("name")) for each in found if each.get("required") is True],
    }


def _schema_of_resource(offer: Offer) -> dict[str, Any]:
    field: dict[str, Any] = {"type": "string", "title": "URI", "default": offer.identity}
    if offer.kind == Offer.Kind.TEMPLATE:
        field["description"] = _("Replace each {name} in braces by a value.")
    return {"type": "object", "properties": {"uri": field}, "required": ["uri"]}


def _script(chosen: dict[str, Any], server: MCPTool) -> dict[str, Any]:
    """Returns what inspector.js needs."""
    return {
        **{name: chosen[name] for name in ("kind", "id", "schema", "is_read_only")},
        "address": reverse("admin:server_inspector_call", args=[server.pk]),
        "deadline_s": server.call_timeout_s,
    }
