"""The meta-tools: a model is given them instead of an assistant's tools, to find those and to call them."""

from collections.abc import Container
from itertools import count

from assistants.catalogue.definitions import Definition

SEARCH, CALL = "search_tools", "call_tool"
MOST_FOUND = 50


def search_definition(name: str, *, limit: int, call: str) -> Definition:
    properties = {
        "query": {"type": "string", "description": "What the tool should do, in a few words."},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND, "default": limit},
    }
    about = f"Find tools for a task. It answers with names, descriptions and parameters, for {call} to call."
    return _definition(name, about, properties, ["query"])


def call_definition(name: str, *, search: str) -> Definition:
    properties = {
        "name": {"type": "string", "description": f"The tool's name, as {search} told it."},
        "arguments": {"type": "object", "description": "By the tool's own parameters."},
    }
    return _definition(name, f"Call a tool that {search} found.", properties, ["name", "arguments"])


def free_name(name: str, taken: Container[str]) -> str:
    """Returns `name`, or where it is taken `name_2`, `name_3` and so on: the first that is free."""
    numbered = (f"{name}_{number}" for number in count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _definition(name: str, about: str, properties: Definition, required: list[str]) -> Definition:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}
