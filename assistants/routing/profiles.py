"""The profile of an assistant for routing: its texts and the names of its tools. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tools.search.text import Document, split_name

_LONGEST_PROMPT = 400
_MOST_TOOLS = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """`tools`: pairs of the names of server and function, those of one server next to each other."""

    name: str
    description: str
    system_prompt: str
    tools: Sequence[tuple[str, str]]


def embedded_text(profile: Profile) -> str:
    """Returns the text whose vector is the assistant's."""
    return " ".join(f"{profile.name}: {_about(profile)} {_tools(profile)}".split())


def document(profile: Profile) -> Document:
    """Returns the document whose BM25 vector is the assistant's: its name weighs as that of a server."""
    return Document(
        server_name=profile.name,
        server_description="",
        name="",
        title="",
        description=_about(profile),
        examples=(_tools(profile),),
    )


def _about(profile: Profile) -> str:
    return f"{profile.description} {profile.system_prompt[:_LONGEST_PROMPT]}"


def _tools(profile: Profile) -> str:
    """Returns text such as `Weather: get forecast, get alerts; Time: convert time`."""
    servers = groupby(profile.tools[:_MOST_TOOLS], key=lambda tool: tool[0])
    return "; ".join(
        f"{server}: {', '.join(split_name(name) for _, name in tools)}" for server, tools in servers
    )
