"""The tab Connect: settings of clients, to be copied. `$API_KEY` stands for a key that may call it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from assistants.console.assistant_page import AssistantPage

_FOLDER = Path(__file__).resolve().parents[2] / "templates" / "console" / "connect"


@dataclass(frozen=True, slots=True)
class Client:
    """A client. `file`: its settings, with BASE_URL and MODEL in them; `advice`: where they belong."""

    name: str
    file: str
    advice: Any

    @property
    def id(self) -> str:
        return self.name.lower().replace(" ", "-")


_WITH_KEY = _("Put a key that may call this assistant into the environment variable API_KEY.")
CLIENTS = (
    Client("curl", "curl.sh", _WITH_KEY),
    Client(
        "Python", "openai.py.txt", _("Needs the package openai. The key is read from the variable API_KEY.")
    ),
    Client("Node", "openai.mjs", _("Needs the package openai. The key is read from the variable API_KEY.")),
    Client("LangChain", "langchain.py.txt", _("Needs the package langchain-openai.")),
    Client("AI SDK", "ai-sdk.mjs", _("Needs the packages ai and @ai-sdk/openai-compatible.")),
    Client(
        "Open WebUI",
        "open-webui.env",
        _("In the environment of its container, with your key instead of $API_KEY."),
    ),
    Client("LibreChat", "librechat.yaml", _("In librechat.yaml, with API_KEY in LibreChat's environment.")),
    Client("Claude Code", "claude-code.sh", _WITH_KEY),
    Client("Cursor", "cursor.json", _("In ~/.cursor/mcp.json.")),
    Client(
        "Claude Desktop",
        "claude-desktop.json",
        _("In claude_desktop_config.json, with your key instead of $API_KEY."),
    ),
    Client("VS Code", "vscode.json", _("In .vscode/mcp.json. VS Code asks for the key.")),
)


@dataclass(frozen=True, slots=True)
class Snippet:
    client: Client
    code: str


def snippets(base_url: str, slug: str) -> list[Snippet]:
    """Returns the settings of each client for an assistant. `base_url` has no slash at its end."""
    return [
        Snippet(client, _text(client.file).replace("BASE_URL", base_url).replace("MODEL", slug))
        for client in CLIENTS
    ]


@cache
def _text(file: str) -> str:
    return (_FOLDER / file).read_text().strip()


def public_url(request: HttpRequest) -> str:
    """Returns the address by which callers reach this installation, without a slash at its end."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


class ConnectPage(AssistantPage):
    template_name = "console/assistant/connect.html"
    tab: ClassVar[str] = "connect"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        base_url = public_url(self.request)
        shown = {
            "base_url": base_url,
            "is_configured": bool(settings.PUBLIC_URL),
            "snippets": snippets(base_url, self.assistant.slug),
        }
        return super().get_context_data(**{**shown, **kwargs})
