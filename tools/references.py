"""References to variables in a server's settings, as MCP clients write them. Pure.

`${NAME}` and `${env:NAME}` stand for the variable of this name in the server's own environment, and
`${NAME:-default}` for the default where the variable is missing or empty, as in a shell (POSIX.1-2024,
section 2.6.2). `$${NAME}` is the text `${NAME}`. Other references, as `${input:token}` and
`${workspaceFolder}` of VS Code, are known to the client alone.
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][\w.-]*(?::[^{}]*)?)\}")
_VARIABLE = re.compile(r"(?:env:)?([A-Za-z_]\w*)(?::-(.*))?", re.DOTALL | re.ASCII)
_CLIENTS = re.compile(
    r"workspace(Folder|Root)\w*(:.*)?|userHome|cwd|(relativeF|f)ile\w*|pathSeparator"
    r"|(config|command|input|extension\w*):.*"
)
_MOST_CHARACTERS = 1024 * 1024
"""A text of many references to a long variable would fill the memory. Beyond this they have no value."""


def fill(text: str, variables: Mapping[str, str]) -> tuple[str, list[str]]:
    """Returns the text with the values of the variables, and what it refers to that has none.

    A reference without a value stays as it is written.
    """
    unfilled: list[str] = []
    left = _MOST_CHARACTERS

    def value(found: re.Match[str]) -> str:
        nonlocal left
        if found[1]:
            return found[0][1:]
        filled = _value(found[2], variables)
        if filled is None or len(filled) > left:
            unfilled.append(found[2])
            return found[0]
        left -= len(filled)
        return filled

    return _REFERENCE.sub(value, text), list(dict.fromkeys(unfilled))


def names(text: str) -> list[str]:
    """Returns the names of the variables that a text refers to."""
    written = (found[2] for found in _REFERENCE.finditer(text) if not found[1])
    return [found[1] for each in written if (found := _VARIABLE.fullmatch(each))]


def are_in(text: str) -> bool:
    """Tells whether a text holds a reference of any kind."""
    return any(not found[1] for found in _REFERENCE.finditer(text))


def is_clients(reference: str) -> bool:
    """Tells whether only an MCP client knows what this reference (without `${` and `}`) stands for."""
    return bool(_CLIENTS.fullmatch(reference))


def _value(reference: str, variables: Mapping[str, str]) -> str | None:
    found = _VARIABLE.fullmatch(reference)
    if found is None:
        return None
    value = variables.get(found[1])
    if not isinstance(value, str):  # a form's, which is refused elsewhere
        value = None
    return value or found[2] if found[2] is not None else value
