"""OpenAI chat messages, already validated, as a system prompt and Strands messages."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile, takewhile
from typing import Any, cast

import orjson
from strands.types.content import ContentBlock, Message, Messages, Role
from strands.types.media import ImageFormat
from strands.types.tools import ToolUse

from assistants.agent.llm import attachments, image_blocks
from assistants.agent.llm.chat_messages import AUTHOR, reasoning_block
from assistants.agent.llm.completion import REASONING_FIELDS, THINKING
from assistants.errors import InvalidMessages

_DATA_URL = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,", re.IGNORECASE)
_SYSTEM_ROLES = ("system", "developer")
_SPEAKERS = ("user", "assistant")

_BLANK = "[blank text]"
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _SentMessage(dict[str, Any]):
    """A message that may be sent to a service as it is: see `as_sent`."""


def system_prompt(*own: str, messages: Iterable[Mapping[str, Any]]) -> str | None:
    """Returns our `own` texts, then those that the caller begins with, separated by blank lines.

    Later system and developer messages keep their place: see `to_strands`.
    """
    theirs = (_plain_text(message) for message in takewhile(_is_system, messages))
    return "\n\n".join(text for text in (*own, *theirs) if text) or None


def to_strands(messages: Sequence[Mapping[str, Any]]) -> Messages:
    """Returns all messages but those for the system prompt. Raises InvalidMessages."""
    history: Messages = []
    for message in dropwhile(_is_system, messages):
        _append(history, message)
    last = next((turn for turn in reversed(history) if "role" not in turn["content"][0]), None)
    if last and any("toolUse" in block for block in last["content"]):
        # Strands would run these calls, which the caller may have made up, without asking the model.
        raise InvalidMessages("The conversation ends in tool calls without their results.")
    return history


def as_sent(messages: Messages) -> Messages:
    """Returns the messages as services accept them.

    Of the model's turns no text is blank, and no call has a name that no tool can have. Of what Strands notes
    in messages nothing goes out.
    """
    return [*map(_sent, messages)]


def _sent(message: Message) -> Message:
    is_accepted = isinstance(cast(Any, message), _SentMessage)
    return message if is_accepted else _message(message["role"], message["content"])


def image_characters(messages: Sequence[Mapping[str, Any]]) -> int:
    """Returns how much base64 `to_strands` decodes."""
    contents = (message.get("content") for message in messages)
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return sum(len(part["image_url"]["url"]) for part in parts if part["type"] == "image_url")


def _is_system(message: Mapping[str, Any]) -> bool:
    return message["role"] in _SYSTEM_ROLES


def _append(history: Messages, message: Mapping[str, Any]) -> None:
    """Add a message, or another result to the last one: Strands has all results of a turn in one message."""
    role = message["role"]
    if _is_plain(message):
        history.append(cast(Message, _SentMessage(role=role, content=[{"text": message["content"]}])))
    elif role == "tool":
        if not (history and "toolResult" in history[-1]["content"][0]):
            history.append(_message("user", []))
        history[-1]["content"].append(_tool_result(message))
    elif role in _SYSTEM_ROLES:
        # Strands knows the roles user and assistant alone. `chat_messages` gives the message its role back;
        # for the vendors' SDKs it is a user's.
        block = cast(ContentBlock, {"text": _plain_text(message), "role": role})
        history.append(_message("user", _named([block], message)))
    elif role == "user":
        history.append(_message("user", _named([*_blocks(message)] or [{"text": ""}], message)))
    elif blocks := [*_reasoning(message), *_said(message), *_tool_uses(message)]:
        attachments.attach(blocks[-1], attachments.of_history(message))
        history.append(_message("assistant", _named(blocks, message)))


def _is_plain(message: Mapping[str, Any]) -> bool:
    """Whether a message is a text of the user or of the model, and nothing else, as most are."""
    content = message.get("content")
    if len(message) > 2 or message["role"] not in _SPEAKERS or not isinstance(content, str):
        return False
    return bool(content) and not content.isspace()


def _named(blocks: list[ContentBlock], message: Mapping[str, Any]) -> list[ContentBlock]:
    """Puts the name of a message's author into its first block: Strands' messages have no place for it."""
    if name := message.get("name"):
        cast(Any, blocks[0])[AUTHOR] = name
    return blocks


def _message(role: Role, content: list[ContentBlock]) -> Message:
    return cast(Message, _SentMessage(role=role, content=_accepted(role, content)))


def _accepted(role: Role, blocks: list[ContentBlock]) -> list[ContentBlock]:
    if role == "user":
        return blocks
    if any("toolUse" in block for block in blocks):
        return [_named_call(block) for block in blocks if not _is_blank(block)]
    return [{**block, "text": _BLANK} if _is_blank(block) else block for block in blocks] or [
        {"text": _BLANK}
    ]


def _is_blank(block: ContentBlock) -> bool:
    return "text" in block and not block["text"].strip()


def _named_call(block: ContentBlock) -> ContentBlock:
    if "toolUse" not in block or _TOOL_NAME.fullmatch(block["toolUse"]["name"]):
        return block
    return {**block, "toolUse": {**block["toolUse"], "name": "INVALID_TOOL_NAME"}}


def _blocks(message: Mapping[str, Any]) -> Iterator[ContentBlock]:
    content = message.get("content")
    if isinstance(content, str):
        if content.strip():
            yield {"text": content}
        return
    for part in content or ():
        if part["type"] != THINKING:
            yield _block(part)


def _said(message: Mapping[str, Any]) -> Iterator[ContentBlock]:
    """An assistant's content, or its refusal: in a field of its own, as our answers have it."""
    yield from _blocks(message)
    refusal = message.get("refusal")
    if refusal and isinstance(refusal, str):
        yield {"text": refusal}


def _block(part: Mapping[str, Any]) -> ContentBlock:
    if part["type"] == "image_url":
        block = _image(part["image_url"]["url"])
        if detail := part["image_url"].get("detail"):
            block["detail"] = detail  # type: ignore[typeddict-unknown-key] # Strands leaves contents as they are
        return block
    if part["type"] in ("text", "refusal"):
        return {"text": part[part["type"]]}
    raise InvalidMessages(f"Content of type {part['type']!r} is not supported.")


def _image(url: str) -> ContentBlock:
    if url[:6].lower() == "https:":
        return image_blocks.at(url)
    match = _DATA_URL.match(url)
    if match is None:
        raise InvalidMessages("Images must be data URLs of type png, jpeg, gif or webp, in base64.")
    try:
        data = base64.b64decode(url[match.end() :], validate=True)
    except binascii.Error as error:
        raise InvalidMessages("An image is not valid base64.") from error
    name = match[1].lower().replace("jpg", "jpeg")
    return {"image": {"format": cast(ImageFormat, name), "source": {"bytes": data}}}


def _reasoning(message: Mapping[str, Any]) -> Iterator[ContentBlock]:
    # Only of a turn with calls: without calls no service wants its reasoning back.
    if not message.get("tool_calls"):
        return
    content = message.get("content")
    parts = content if isinstance(content, list) else ()
    thoughts = (part[THINKING] for part in parts if part["type"] == THINKING)
    thinking = "".join(each["text"] for thought in thoughts for each in thought)
    for name, text in (*((name, message.get(name)) for name in REASONING_FIELDS), (THINKING, thinking)):
        if text and isinstance(text, str):
            yield reasoning_block(text, "" if name == REASONING_FIELDS[0] else name)
            return


def _tool_uses(message: Mapping[str, Any]) -> Iterator[ContentBlock]:
    for call in message.get("tool_calls") or ():
        function = call["function"]
        tool_use: ToolUse = {
            "toolUseId": call["id"],
            "name": function["name"],
            "input": tool_input(function.get("arguments") or ""),
        }
        attached, upstream_id = attachments.of_call(call), call.get("upstream_id")
        if upstream_id and isinstance(upstream_id, str):
            attached["upstream_id"] = upstream_id
        if isinstance(signature := attached.get("reasoning_signature"), str):
            tool_use["reasoningSignature"] = signature
        attachments.attach(tool_use, attached)
        yield {"toolUse": tool_use}


def tool_input(arguments: str) -> dict[str, Any] | str:
    """Returns a call's arguments as an object, or the text itself where it is not one."""
    if not arguments.strip():
        return {}
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    return value if isinstance(value, dict) else arguments


def _tool_result(message: Mapping[str, Any]) -> ContentBlock:
    content: list[Any] = list(_blocks(message)) or [{"text": ""}]
    return {"toolResult": {"toolUseId": message["tool_call_id"], "status": "success", "content": content}}


def _plain_text(message: Mapping[str, Any]) -> str:
    return "\n".join(block["text"] for block in _blocks(message) if "text" in block)
