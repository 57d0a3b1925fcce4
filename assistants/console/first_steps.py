"""What to do next on a fresh installation: four steps from a server to a chat."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apikeys.models import ApiKey
from assistants.models import Assistant, Run
from tools.models import MCPTool


@dataclass(frozen=True, slots=True)
class Step:
    """`url` is empty for who may not do it."""

    title: Any
    text: Any
    is_done: bool
    url: str


_STEPS = (
    (
        "servers",
        _("Add an MCP server"),
        _("It brings the tools: paste its configuration, or fill in a form."),
        "tools.add_mcptool",
        "tools_mcptool_add",
    ),
    (
        "assistants",
        _("Make an assistant"),
        _("A model, a prompt, and the tools that it may use."),
        "assistants.add_assistant",
        "assistants_assistant_add",
    ),
    (
        "keys",
        _("Issue a key"),
        _("With it, any OpenAI client may call the assistants that you grant to it."),
        "apikeys.add_apikey",
        "apikeys_apikey_add",
    ),
    (
        "runs",
        _("Chat"),
        _("Open an assistant and ask it something, or connect your client to it."),
        "assistants.view_assistant",
        "assistants_assistant_changelist",
    ),
)


def left(user: Any) -> list[Step]:
    """Returns all steps with what was done, or none if nothing is left to do."""
    done = _done()
    if all(done.values()):
        return []
    return [
        Step(title, text, done[name], reverse(f"admin:{page}") if user.has_perm(permission) else "")
        for name, title, text, permission, page in _STEPS
    ]


def _done() -> dict[str, bool]:
    return {
        "servers": MCPTool.objects.present().exists(),
        "assistants": Assistant.objects.exists(),
        "keys": ApiKey.objects.filter(can_call_assistant=True).exists(),
        "runs": Run.objects.exists(),
    }
