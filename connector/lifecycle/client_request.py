"""A request of a client to a server, and what the server offers: by both it is decided how it is sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from connector.wire.asking import NOBODY, Client
from connector.wire.results import name_of


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """`asks_back`: of the server. `parked` and `responses` go on with a call that waits for an answer."""

    method: str
    params: dict[str, Any]
    client: Client = NOBODY
    asks_back: bool = False
    parked: str = ""
    responses: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return name_of(self.method, self.params)

    @property
    def tool(self) -> str | None:
        """The tool that it calls, if it calls one."""
        return self.params["name"] if self.method == "tools/call" else None


@dataclass(frozen=True, slots=True)
class Offered:
    """The names of the tools that a server listed last.

    `to_all` are listed to every client, `to_askable` only to clients that it can ask back. `as_tasks` are
    those of both that it runs as tasks and not otherwise.
    """

    to_all: frozenset[str] = frozenset()
    to_askable: frozenset[str] = frozenset()
    as_tasks: frozenset[str] = frozenset()

    @classmethod
    def of(cls, to_all: Iterable[Mapping[str, Any]], to_askable: Iterable[Mapping[str, Any]]) -> Self:
        """Both are definitions of tools, as wire JSON."""
        as_tasks = (each["name"] for tools in (to_all, to_askable) for each in tools if _is_task(each))
        return cls(_names(to_all), _names(to_askable), frozenset(as_tasks))


def _names(tools: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(tool["name"] for tool in tools)


def _is_task(tool: Mapping[str, Any]) -> bool:
    """Source: MCP 2025-11-25, basic/utilities/tasks, tool-level negotiation."""
    execution = tool.get("execution")
    return isinstance(execution, Mapping) and execution.get("taskSupport") == "required"
