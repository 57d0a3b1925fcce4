"""Parameters of requests, checked one by one. Errors name the parameter."""

from typing import Any

from assistants.mcp_endpoint.messages import Request
from assistants.mcp_endpoint.protocol import invalid_params


def text(request: Request, name: str, *, default: str | None = None) -> str:
    """Returns a string. Raises RpcError if it is missing, without a default, or is something else."""
    value = request.params.get(name, default)
    if not isinstance(value, str):
        raise invalid_params(f'"{name}" must be a string.')
    return value


def objects(request: Request, name: str) -> dict[str, Any]:
    """Returns an object; an empty one if it is missing or null. Raises RpcError if it is something else."""
    value = request.params.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_params(f'"{name}" must be an object.')
    return value
