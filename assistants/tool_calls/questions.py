"""What the caller of a tool is asked, where a rule lets it decide itself: a form of MCP (elicitation).

The question ends a round of the call, and the next one has the answer, as where a server asks back. The state
between them is signed: it names the call that waits, and is good for nobody else and for no other call.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.core import signing

from assistants.approvals import Asker
from assistants.approvals.signatures import signature
from assistants.catalogue import FunctionEntry
from assistants.filtering import mask_secrets
from connector.client.requests import Exchange, InputRequired
from connector.errors import InvalidState
from connector.wire.asking import askable, problem
from core import off_loop
from core.message import Message

_NAME = "approval"
_METHOD = "elicitation/create"
_PREFIX = "approval:"
_SALT = "assistants.tool_calls.questions"
_FORM = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "title": "Decision", "enum": ["approve", "reject"]},
        "reason": {"type": "string", "title": "Reason, if you reject", "maxLength": 1000},
    },
    "required": ["decision"],
}
_UNSEEN = re.compile(
    "[\u0080-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Characters that nobody sees, or that show others in another order."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person at the client decided."""

    approves: bool
    reason: str = ""


def can_be_asked(exchange: Exchange) -> bool:
    """Returns whether the client shows forms to a person."""
    return problem(_METHOD, {"mode": "form"}, askable(exchange.capabilities)) is None


async def question(
    number: int, function: FunctionEntry, shown: Mapping[str, Any], state: str
) -> InputRequired:
    """Returns the question, and how the call goes on. `shown`: the arguments with which it would be made."""
    message = (
        f"The tool {function.name} is to be called, if you approve (approval {number}). "
        f"Its arguments:\n{await _readable(shown)}"
    )
    params = {"mode": "form", "message": message, "requestedSchema": _FORM}
    return InputRequired({_NAME: {"method": _METHOD, "params": params}}, state)


async def _readable(arguments: Mapping[str, Any]) -> str:
    """Returns the whole arguments as JSON for people: secrets covered, and nothing in it unseen."""
    raw = orjson.dumps(arguments, option=orjson.OPT_INDENT_2)
    return await off_loop.run(lambda: _UNSEEN.sub(_escaped, mask_secrets(raw.decode())), size=len(raw))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def sealed(number: int, asker: Asker, function: FunctionEntry, arguments: Mapping[str, Any]) -> str:
    """Returns the state between two rounds."""
    about = [number, asker.owner, asker.end_user, signature(function, arguments)]
    return _PREFIX + signing.dumps(about, salt=_SALT)


def is_ours(state: str) -> bool:
    """Returns whether a state is of a question of ours, and not of one that a server asks."""
    return state.startswith(_PREFIX)


def opened(state: str, asker: Asker, function: FunctionEntry, arguments: Mapping[str, Any]) -> int:
    """Returns the number of the call that waits. Raises InvalidState for a state of another call."""
    try:
        number, *about = signing.loads(state.removeprefix(_PREFIX), salt=_SALT)
    except signing.BadSignature as error:
        raise InvalidState(Message("The state of the request is not valid.")) from error
    if about != [asker.owner, asker.end_user, signature(function, arguments)]:
        raise InvalidState(Message("The state of the request is of another call."))
    return int(number)


def reply(responses: Mapping[str, Any] | None) -> Reply | None:
    """Returns what a client decided; None where it did not, because nobody answered say."""
    answer = (responses or {}).get(_NAME)
    if not isinstance(answer, Mapping) or answer.get("action") not in {"accept", "decline", "cancel"}:
        return None
    content = answer.get("content")
    given = content if isinstance(content, Mapping) else {}
    reason = given.get("reason")
    told = reason if isinstance(reason, str) else ""
    if answer["action"] != "accept":
        return Reply(approves=False, reason=told)
    decision = given.get("decision")
    return Reply(decision == "approve", told) if decision in {"approve", "reject"} else None
