"""The page that asks before a command of Ctrl-K is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from core.actor import Actor
from core.admin.refusals import REFUSALS, text_of
from core.admin.views import ConsolePage
from tools import actions as tool_actions
from tools.models import MCPTool


@dataclass(frozen=True, slots=True)
class Command:
    """`rows` finds what it is done to, `page` is the name of the page to go on to."""

    permission: str
    rows: Callable[[], Any]
    perform: Callable[..., object]
    page: str
    question: Any
    consequence: Any
    done: Any


COMMANDS = {
    "restart": Command(
        permission="tools.operate_mcptool",
        rows=MCPTool.objects.present,
        perform=tool_actions.restart,
        page="admin:tools_mcptool_change",
        question=_("Restart %(name)s?"),
        consequence=_("Calls that it is working on fail. It is back as soon as it has started."),
        done=_("%(name)s restarts."),
    ),
    "disable": Command(
        permission="apikeys.change_apikey",
        rows=ApiKey.objects.all,
        perform=key_actions.disable,
        page="admin:apikeys_apikey_change",
        question=_("Disable the key %(name)s?"),
        consequence=_("Callers that use it are refused from the next moment on, and what runs with it ends."),
        done=_("The key %(name)s is disabled."),
    ),
}


class CommandPage(ConsolePage):
    """GET asks, POST does it by the verb that the pages and REST use."""

    template_name = "console/command.html"

    @property
    def command(self) -> Command:
        if self.kwargs["command"] not in COMMANDS:
            raise Http404
        return COMMANDS[self.kwargs["command"]]

    def get_permission_required(self) -> tuple[str]:
        return (self.command.permission,)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self._row()
        title = self.command.question % {"name": row}
        return super().get_context_data(
            **{**kwargs, "title": title, "command": self.command, "row": row, "back": self.command.page}
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        row = self._row()
        try:
            self.command.perform(row, by=Actor.of(request))
        except REFUSALS as error:
            messages.error(request, text_of(error))
        else:
            messages.success(request, self.command.done % {"name": row})
        return redirect(self.command.page, row.pk)

    def _row(self) -> Any:
        row = self.command.rows().filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise Http404
        return row
