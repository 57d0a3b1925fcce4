"""What staff do with servers by buttons: start, stop, restart, refresh, duplicate. Each tells what it did."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from core.actor import Actor
from core.admin.buttons import posted
from core.admin.refusals import REFUSALS, text_of
from core.admin.verbs import VerbAdmin
from tools import actions
from tools.models import MCPTool

Verb = Callable[[MCPTool, Actor], object]


class ServerOperations(VerbAdmin[MCPTool]):
    """For `tools.operate_mcptool`: on one server by a button, on several by a list's action."""

    actions = ["start", "stop", "restart", "refresh"]
    actions_row = ["start_one", "stop_one", "restart_one", "refresh_one", "duplicate_one"]
    actions_detail = ["start_one", "stop_one", "restart_one", "refresh_one", "duplicate_one"]

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("tools.operate_mcptool"))

    def has_duplicate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    @admin.action(description=_("Start"), permissions=["operate"])
    def start(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        self._do(request, queryset, _start)
        self._tell(request, queryset, ngettext_lazy("%d server is starting.", "%d servers are starting."))

    @admin.action(description=_("Stop"), permissions=["operate"])
    def stop(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        self._do(request, queryset, _stop)
        self._tell(request, queryset, ngettext_lazy("%d server is stopping.", "%d servers are stopping."))

    @admin.action(description=_("Restart"), permissions=["operate"])
    def restart(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        self._do(request, queryset, _restart)
        self._tell(request, queryset, ngettext_lazy("%d server restarts.", "%d servers restart."))

    @admin.action(description=_("Refresh the tools"), permissions=["operate"])
    def refresh(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        self._do(request, queryset, _refresh)
        told = ngettext_lazy("%d server is asked for its tools.", "%d servers are asked for their tools.")
        self._tell(request, queryset, told)

    @posted(description=_("Start"), url_path="start", icon="play_arrow", permissions=["operate"])
    def start_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do_one(request, object_id, _start, _("%(server)s is starting."))

    @posted(description=_("Stop"), url_path="stop", icon="stop", permissions=["operate"])
    def stop_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do_one(request, object_id, _stop, _("%(server)s is stopping."))

    @posted(
        description=_("Restart"),
        url_path="restart",
        icon="restart_alt",
        permissions=["operate"],
    )
    def restart_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do_one(request, object_id, _restart, _("%(server)s restarts, if it is enabled."))

    @posted(description=_("Refresh tools"), url_path="refresh", icon="sync", permissions=["operate"])
    def refresh_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do_one(request, object_id, _refresh, _("%(server)s is asked for its tools again."))

    @posted(
        description=_("Duplicate"),
        url_path="duplicate",
        icon="content_copy",
        permissions=["duplicate"],
    )
    def duplicate_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        told = _("This is a copy of %(server)s. It is stopped: change what should differ, then start it.")
        return self._do_one(request, object_id, _duplicate, told)

    def _do(self, request: HttpRequest, servers: Iterable[MCPTool], verb: Verb) -> None:
        for server in servers:
            verb(server, Actor.of(request))

    def _tell(self, request: HttpRequest, servers: QuerySet[MCPTool], told: Any) -> None:
        self.message_user(request, told % len(servers), messages.SUCCESS)

    def _do_one(self, request: HttpRequest, object_id: str, verb: Verb, told: Any) -> HttpResponse:
        """Does it, tells it, and leads back to where the button was; to the copy, if there is one."""
        server = self.get_object(request, object_id)
        if server is None:
            raise Http404
        try:
            with transaction.atomic():
                made = verb(server, Actor.of(request))
        except REFUSALS as error:
            self.message_user(request, text_of(error), messages.ERROR)
            return redirect(_origin(request))
        self.message_user(request, told % {"server": server.name}, messages.SUCCESS)
        if isinstance(made, MCPTool) and made.pk != server.pk:
            return redirect("admin:tools_mcptool_change", made.pk)
        return redirect(_origin(request))


def _start(server: MCPTool, by: Actor) -> object:
    return actions.start(server, by=by)


def _stop(server: MCPTool, by: Actor) -> object:
    return actions.stop(server, by=by)


def _restart(server: MCPTool, by: Actor) -> object:
    return actions.restart(server, by=by)


def _refresh(server: MCPTool, by: Actor) -> object:
    actions.refresh(server)
    return None


def _duplicate(server: MCPTool, by: Actor) -> object:
    return actions.duplicate(server, by=by)


def _origin(request: HttpRequest) -> str:
    """Returns the page of ours that the request came from, else the list of servers."""
    page = request.headers.get("referer", "")
    is_ours = url_has_allowed_host_and_scheme(
        page, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return page if is_ours else reverse("admin:tools_mcptool_changelist")
