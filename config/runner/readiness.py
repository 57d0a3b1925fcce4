"""Checks whether the installation can answer the curl line that `up` prints."""

import json
import urllib.request

from django.apps import apps

TIMEOUT_S = 3


def is_ready(base_url: str) -> bool:
    return _probe(base_url) == "ok" and not waiting_for()


def waiting_for() -> str:
    """Returns the demo's MCP server and its state, if it is enabled and not running yet; else ""."""
    servers = apps.get_model("tools", "MCPTool")._default_manager
    late = servers.filter(slug="time", is_enabled=True).exclude(status="running").first()
    return f"{late.name} ({late.error_message or late.status})" if late else ""


def _probe(base_url: str) -> str:
    """Returns the status that /ready reports, or "" while nothing answers."""
    try:
        with urllib.request.urlopen(f"{base_url}/ready", timeout=TIMEOUT_S) as answer:  # noqa: S310 - our own
            return str(json.load(answer).get("status"))
    except (OSError, ValueError):
        return ""
