"""The addresses of the endpoint: `/mcp`, `/mcp/a/{assistant}`, `/mcp/s/{server}`."""

import re
from dataclasses import dataclass
from typing import Final, Literal

ROOT: Final = "/mcp"
FORMS: Final = f"{ROOT}, {ROOT}/a/{{assistant}} and {ROOT}/s/{{server}}"
METADATA: Final = "/.well-known/oauth-protected-resource"
_PATH = re.compile(rf"{ROOT}(?:/(?P<kind>[as])/(?P<slug>[^/]+))?/?")


@dataclass(frozen=True, slots=True)
class Address:
    """`kind`: "all" that the key reaches, one "assistant", or one "server"; the latter two have a `slug`.

    `tools`: "search" asks for a search among the tools instead of all their definitions (`?tools=search`),
    "all" for the definitions, however many they are; "" leaves that to the assistant and the settings.
    """

    path: str
    kind: Literal["all", "assistant", "server"]
    slug: str = ""
    tools: Literal["", "all", "search"] = ""


def is_mcp(path: str) -> bool:
    """Tells whether a client of MCP means this path, though nothing may be there."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def parsed(path: str, query: bytes) -> Address | None:
    """Returns the address of a request; None if there is no endpoint at its path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    tools = _tools(query)
    if match["kind"] is None:
        return Address(ROOT, "all", tools=tools)
    kind: Literal["assistant", "server"] = "assistant" if match["kind"] == "a" else "server"
    return Address(f"{ROOT}/{match['kind']}/{match['slug']}", kind, match["slug"], tools)


def _tools(query: bytes) -> Literal["", "all", "search"]:
    parameters = query.split(b"&")
    if b"tools=search" in parameters:
        return "search"
    return "all" if b"tools=all" in parameters else ""
