"""References of other products become `${NAME}`, which an application fills, or variables of the server.

A configuration fills `${NAME}` in a server's variables from the environment; what its arguments, address and
headers refer to is filled from its variables, at each launch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tools import references
from tools.names import slugify
from tools.secrets.extraction import Settings

_WITH_DEFAULT = re.compile(r"(?<!\$)\$\{(?:env:)?(\w+):-")
_DOUBLE_BRACES = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_OF_LITELLM = re.compile(r"os\.environ/([A-Za-z_]\w*)")


@dataclass(slots=True)
class Owned:
    """Settings that refer to nothing but variables. `asked`: what these stand for, by their names."""

    settings: Settings
    asked: dict[str, str] = field(default_factory=dict)
    defaults: list[str] = field(default_factory=list)


def owned(settings: Settings, prompts: Mapping[str, str]) -> Owned:
    """Returns settings in which a variable stands for each reference.

    `prompts`: what the client asks its user for, by the id in `${input:id}`.
    """
    found = Owned(settings)
    env = {name: _renamed(value, {}, prompts, found) for name, value in settings.env.items()}

    def own(text: str) -> str:
        text = _renamed(text, env, prompts, found)
        for name in references.fill(text, env)[1]:
            env[name] = f"${{{name}}}"
        return text

    args: Sequence[str] = [own(arg) for arg in settings.args]
    url = own(settings.url)
    headers = {name: own(value) for name, value in settings.headers.items()}
    found.settings = replace(settings, args=args, env=env, url=url, headers=headers)
    return found


def of_litellm(text: str) -> str:
    """Returns `${NAME}` for `os.environ/NAME`."""
    match = _OF_LITELLM.fullmatch(text.strip())
    return f"${{{match[1]}}}" if match else text


def of_braces(text: str) -> str:
    """Returns `${NAME}` for each `{{NAME}}`."""
    return _DOUBLE_BRACES.sub(lambda found: f"${{{found[1]}}}", text)


def filled(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Returns a text that is no secret with its references filled, and those that have no value."""
    return references.fill(text, environ)


def _renamed(text: str, own: Mapping[str, str], prompts: Mapping[str, str], found: Owned) -> str:
    """Returns the text with `${NAME}` for all that its own variables do not fill."""
    found.defaults += [name for name in _WITH_DEFAULT.findall(text) if name not in own]
    for reference in references.fill(text, own)[1]:
        name = _variable(reference)
        text = text.replace(f"${{{reference}}}", f"${{{name}}}")
        prompt = prompts.get(reference.removeprefix("input:"), "")
        if references.is_clients(reference):
            found.asked[name] = prompt or reference
    return text


def _variable(reference: str) -> str:
    """Returns the name of the variable that stands for a reference: `${input:api-key}` is API_KEY."""
    if not references.is_clients(reference):
        name = reference.removeprefix("env:").partition(":")[0]
        if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            return name
    kind, _, rest = reference.partition(":")
    return slugify(rest or kind).replace("-", "_").upper()
