"""What is wrong with a server although it may run, and what keeps it from being launched, for people."""

from typing import Any

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
        raise UndecryptableSecret(f"What is stored as {' and '.join(names)}")


def _refers_to_variables(server: Any) -> bool:
    """Whether variables that no key decrypts are part of a remote server's address or headers."""
    if not isinstance(server.env, Unreadable):
        return False
    return any(map(references.names, (server.url, *server.headers.values())))


def warnings_of(server: Any) -> list[str]:
    """Returns the warnings of an MCPTool. Rows of `with_refused_tools` have them all."""
    refused = [
        f"The model {each['model']} refuses the definition of the tool {each['name']}: it is left out."
        for each in getattr(server, "refused_tools", ())
    ]
    try:
        require_readable(server)
    except UndecryptableSecret as error:
        return [str(error.detail), *refused]
    return refused
