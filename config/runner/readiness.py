"""`python -m config.runner.readiness BASE_URL`: waits until the curl line that `up` prints can be answered.

It ends with status 1 after READY_S seconds, and prints what is late.
"""

import json
import sys
import time
import urllib.request

import django
from django.apps import apps

from config.environment import load_settings

READY_S = 30
TIMEOUT_S = 3
POLL_S = 0.05


def wait(base_url: str) -> None:
    deadline = time.monotonic() + READY_S
    while not is_ready(base_url):
        if time.monotonic() > deadline:
            sys.exit(waiting_for() or "see /ready")
        time.sleep(POLL_S)


def is_ready(base_url: str) -> bool:
    # In this order: what /ready answers it remembers for a second, the state before the servers ran too.
    return not waiting_for() and _probe(base_url) == "ok"


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


if __name__ == "__main__":
    load_settings()
    django.setup()
    wait(sys.argv[1])
