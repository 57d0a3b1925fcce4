"""What the endpoint says of itself: in `initialize`, in `server/discover`."""

from typing import Any

from assistants.mcp_endpoint.reach import Reach

_VERSION = "1"


def server_info(reach: Reach) -> dict[str, str]:
    return {"name": "mcp-connector", "title": reach.title, "version": _VERSION}


def capabilities(reach: Reach) -> dict[str, Any]:
    """Returns wire JSON. Lists are always there, if only empty: their changes must be reported."""
    subscribe = {"subscribe": True} if reach.announces("resources", "subscribe") else {}
    found: dict[str, Any] = {
        "tools": {"listChanged": True},
        "prompts": {"listChanged": True},
        "resources": {"listChanged": True, **subscribe},
    }
    if reach.announces("completions"):
        found["completions"] = {}
    if reach.announces("logging"):
        found["logging"] = {}
    return found


def instructions(reach: Reach) -> dict[str, str]:
    return {"instructions": reach.instructions} if reach.instructions else {}
