"""Settings of the console: django-unfold's look and navigation, and the content security policy.

unfold reads `UNFOLD`: https://unfoldadmin.com/docs/configuration/settings/. The sidebar shows a page to those
who may see it.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

Item = dict[str, Any]


def _page(title: Any, icon: str, url: str, *permissions: str, below: str = "", **more: Any) -> Item:
    """Returns an item of the sidebar, for users with one of the permissions; if none is named, for all.

    `below`: where its further pages are below /admin/, if not below its own; they highlight it, too.
    """
    item: Item = {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{url}"), **more}
    if below:
        item["active"] = _is_below(item["link"], below)
    return item | ({"permission": _has_one_of(permissions)} if permissions else {})


def _is_below(link: Any, below: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.path.startswith((str(link), f"{reverse('admin:index')}{below}"))


def _has_one_of(permissions: tuple[str, ...]) -> Callable[[HttpRequest], bool]:
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)


NAVIGATION: list[dict[str, Any]] = [
    {
        "title": None,
        "items": [
            _page(_("Overview"), "monitoring", "index"),
            _page(_("Needs you"), "inbox", "needs_you", badge="assistants.console.inbox.badge"),
        ],
    },
    {
        "title": _("Build"),
        "items": [
            _page(
                _("MCP servers"), "dns", "tools_mcptool_changelist", "tools.view_mcptool", below="servers/"
            ),
            _page(_("Tools"), "construction", "tools_toolfunction_changelist", "tools.view_toolfunction"),
            _page(
                _("Assistants"), "smart_toy", "assistants_assistant_changelist", "assistants.view_assistant"
            ),
            _page(_("Playground"), "forum", "playground", "assistants.chat_assistant"),
            _page(
                _("LLM providers"), "neurology", "assistants_provider_changelist", "assistants.view_provider"
            ),
        ],
    },
    {
        "title": _("Access"),
        "items": [
            _page(_("API keys"), "key", "apikeys_apikey_changelist", "apikeys.view_apikey", below="keys/"),
            _page(_("OAuth logins"), "link", "connector_oauthgrant_changelist", "connector.view_oauthgrant"),
            _page(_("People"), "group", "auth_user_changelist", "auth.view_user"),
            _page(_("Groups"), "badge", "auth_group_changelist", "auth.view_group"),
        ],
    },
    {
        "title": _("Control"),
        "items": [
            _page(_("Rules"), "rule", "assistants_rule_changelist", "assistants.view_rule"),
            _page(_("Approvals"), "approval", "assistants_approval_changelist", "assistants.view_approval"),
            _page(
                _("Webhooks"),
                "webhook",
                "assistants_webhook_changelist",
                "assistants.view_webhook",
                below="assistants/delivery/",
            ),
        ],
    },
    {
        "title": _("Observe"),
        "items": [
            _page(_("Runs"), "timeline", "assistants_run_changelist", "assistants.view_run"),
            _page(_("Usage"), "bar_chart", "usage", "assistants.view_run"),
            _page(_("Instances"), "memory", "connector_instance_changelist", "connector.view_instance"),
            _page(_("Audit log"), "history", "apikeys_auditentry_changelist", "apikeys.view_auditentry"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "MCP Connector",
    "SITE_HEADER": "MCP Connector",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/icon.svg")},
    ],
    "SHOW_HISTORY": False,  # ConsoleAdmin says on which pages
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.0% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(62.3% .214 259.8)",
            "600": "oklch(54.6% .245 262.9)",
            "700": "oklch(48.8% .243 264.4)",
            "800": "oklch(42.4% .199 265.6)",
            "900": "oklch(37.9% .146 265.5)",
            "950": "oklch(28.2% .091 267.9)",
        },
    },
    "STYLES": [
        lambda request: static("console/console.css"),
        lambda request: static("console/servers.css"),
    ],
    "SCRIPTS": [
        lambda request: static("console/console.js"),
        lambda request: static("console/keyboard.js"),
    ],
    "DASHBOARD_CALLBACK": "assistants.console.overview.dashboard",
    "COMMAND": {"search_callback": "assistants.console.commands.find", "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": NAVIGATION,
    },
}

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        # unfold and Swagger UI set styles of elements.
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "frame-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        # No `form-action`: logging in to a server by OAuth posts a form whose answer redirects elsewhere.
        "frame-ancestors": ["'none'"],
    }
}
