"""What the supervisor reads and writes through the ORM, in threads."""

from collections.abc import Sequence
from typing import Any

from connector.session import Capabilities
from core.database import in_thread, in_thread_until_done
from tools import capabilities
from tools.functions import catalogue
from tools.launch import LaunchSpec, read_launch_spec
from tools.models import Offer


@in_thread
def read_spec(server_id: int) -> LaunchSpec | None:
    """Returns how to launch the server; None if it is gone. Raises what decrypting its secrets raises."""
    return read_launch_spec(server_id)


@in_thread_until_done
def record_tools(server_id: int, tools: Sequence[dict[str, Any]]) -> None:
    catalogue.record(server_id, tools)


@in_thread_until_done
def record_capabilities(server_id: int, found: Capabilities) -> None:
    by_kind = {
        Offer.Kind.RESOURCE: found.resources,
        Offer.Kind.TEMPLATE: found.templates,
        Offer.Kind.PROMPT: found.prompts,
    }
    capabilities.record(server_id, by_kind)


@in_thread_until_done
def record_announced(server_id: int, announced: dict[str, Any]) -> None:
    capabilities.record_announced(server_id, announced)


@in_thread_until_done
def record_asked_back(server_id: int) -> None:
    capabilities.record_asked_back(server_id)
