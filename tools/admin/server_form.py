"""The form of a server's settings, in plain words. The rules are those of `tools.actions`."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from core.admin.refusals import VerbForm
from tools.admin.setting_fields import ArgumentsField, PairsField
from tools.models import ConnectionType, Label, MCPTool

TRANSPORTS = [
    (ConnectionType.STDIO, _("A program that is started here (stdio)")),
    (ConnectionType.STREAMABLE_HTTP, _("A remote address (streamable HTTP)")),
    (ConnectionType.SSE, _("A remote address, older protocol (SSE)")),
]
# For who may only view, there are no inputs, and Alpine knows no `connection_type`: all is shown.
_LOCAL = "typeof connection_type === 'undefined' || !connection_type || connection_type == 'stdio'"
_REMOTE = "typeof connection_type === 'undefined' || connection_type && connection_type != 'stdio'"
SHOWN_FOR = {"command": _LOCAL, "args": _LOCAL, "env": _LOCAL, "url": _REMOTE, "headers": _REMOTE}
"""Fields that follow the transport: expressions of Alpine.js, of constants alone."""
FIELDSETS: Any = [
    (
        None,
        {"fields": ["name", "description", "connection_type", "command", "args", "env", "url", "headers"]},
    ),
    (None, {"fields": ["is_enabled", "labels"]}),
    (
        _("Advanced: limits and approval"),
        {
            "classes": ["collapse"],
            "fields": [
                "slug", "start_timeout_s", "call_timeout_s", "replicas", "approval", "is_enriched",
                "asks_back",
            ],
        },
    ),
]  # fmt: skip


class MCPToolForm(VerbForm[MCPTool]):
    """Shows secrets masked. A mask that is sent back leaves the stored secret as it is."""

    connection_type = forms.ChoiceField(
        label=_("Transport"),
        choices=TRANSPORTS,
        widget=UnfoldAdminSelectWidget,
        help_text=_("How the server is reached. The server's own documentation names it."),
    )
    command = forms.CharField(
        label=_("Command"),
        required=False,
        max_length=1024,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "npx"}),
        help_text=_("The program alone: for instance npx, uvx, python or docker."),
    )
    args = ArgumentsField(
        label=_("Arguments"),
        help_text=_("One argument a line, without quotation marks. Secret parts are kept encrypted."),
    )
    env = PairsField(
        (_("Variable"), _("Value")),
        label=_("Environment variables"),
        help_text=_(
            "Kept encrypted, and shown as ******** once they are saved. Leave a mask to keep its value."
        ),
    )
    url = forms.CharField(
        label=_("Address (URL)"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://mcp.example.org/mcp"}),
        help_text=_("Where the server answers. Secret parts are kept encrypted."),
    )
    headers = PairsField(
        (_("Header"), _("Value")),
        label=_("HTTP headers"),
        help_text=_(
            "Sent with each request, for instance Authorization. Kept encrypted, and shown as ********."
        ),
    )

    labels = forms.MultipleChoiceField(
        label=_("Labels of its tools"),
        choices=Label.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_(
            "What its tools do in a conversation, unless a tool has labels of its own. Rules look at them."
        ),
    )

    class Meta:
        model = MCPTool
        fields = [
            "name", "slug", "description", "connection_type", "command", "args", "env", "url", "headers",
            "start_timeout_s", "call_timeout_s", "approval", "is_enriched", "asks_back", "replicas",
            "is_enabled", "labels",
        ]  # fmt: skip
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 3})}
        help_texts = {
            "name": _("What you and your colleagues call it."),
            "description": _("What it is good for. Assistants find its tools by this text, too."),
            "slug": _("The first part of its tools' names. Empty: made of the name. It cannot be changed."),
            "start_timeout_s": _("Seconds that it may take to start, 1 to 300."),
            "call_timeout_s": _("Seconds that a call of a tool may take, 1 to 600."),
            "replicas": _("How many copies of it run at the same time, 1 to 16."),
            "approval": _("What happens when the server changes what a tool says about itself."),
            "is_enriched": _("Let the provider's model write example requests, to find its tools by."),
            "asks_back": _(
                "While a tool runs it asks for input, a model's answer or folders. Each MCP client that can "
                "answer gets a session of its own with it, and where it is local a process of its own."
            ),
            "is_enabled": _("It runs, and assistants may use its tools."),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, field in MCPTool.secret_fields().items():
            if name in cleaned and cleaned[name] in forms.Field.empty_values:
                cleaned[name] = field.get_default()
        return cleaned
