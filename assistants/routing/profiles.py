"""What an assistant is known by: its name and description, how its prompt begins, and its tools. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tools.search.text import Document, split_name

_LONGEST_PROMPT = 400
_MOST_TOOLS = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """`tools`: of each the names of its server and its own, those of a server together."""

    name: str
    description: str
    system_prompt: str
    tools: Sequence[tuple[str, str]]


def embedded_text(profile: Profile) -> str:
    return " ".join(f"{profile.name}: {_about(profile)} {_tools(profile)}".split())


def document(profile: Profile) -> Document:
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
    """`Weather: get forecast, get alerts; Time: convert time`"""
    servers = groupby(profile.tools[:_MOST_TOOLS], key=lambda tool: tool[0])
    return "; ".join(
        f"{server}: {', '.join(split_name(name) for _, name in tools)}" for server, tools in servers
    )
