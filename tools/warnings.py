"""What is wrong with a server although it may run, and what keeps it from being launched, for people."""

from typing import Any

from core.message import Message
from tools import references
from tools.choices import ConnectionType
from tools.secrets.encryption import UndecryptableSecret, Unreadable


def require_readable(server: Any) -> None:
    """Raises UndecryptableSecret if no key decrypts what the kind of connection of an MCPTool needs."""
    needed = ("args", "env") if server.connection_type == ConnectionType.STDIO else ("url", "headers")
    names = [name for name in needed if isinstance(getattr(server, name), Unreadable)]
    if not names and _refers_to_variables(server):
        names = ["env"]
    if names:
        raise UndecryptableSecret(Message("What is stored as %(names)s", names=" and ".join(names)))


def _refers_to_variables(server: Any) -> bool:
    """Whether variables that no key decrypts are part of a remote server's address or headers."""
    if not isinstance(server.env, Unreadable):
        return False
    return any(map(references.names, (server.url, *server.headers.values())))


def warnings_of(server: Any) -> list[str]:
    """Returns the warnings of an MCPTool. Rows of `with_refused_tools` have them all."""
    refused: list[str] = [
        Message(
            "The model %(model)s refuses the definition of the tool %(tool)s: it is left out.",
            model=each["model"],
            tool=each["name"],
        )
        for each in getattr(server, "refused_tools", ())
    ]
    try:
        require_readable(server)
    except UndecryptableSecret as error:
        return [error.message, *refused]
    return refused
