"""Strands messages as OpenAI chat messages. The way back is `assistants.agent.messages`."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from strands.types.content import ContentBlock, Message
from strands.types.tools import ToolResult, ToolUse

from assistants.agent.llm import attachments, call_ids, image_blocks
from assistants.agent.llm.attachments import attached_to
from assistants.agent.llm.completion import ATTACHED_REASONING, THINKING

AUTHOR = "author"
"""The key of a message's `name` in its first block."""
_IMAGE_FOLLOWS = "The tool returned an image: it follows in the next user message."


def to_openai(
    messages: Iterable[Message], system_prompt: str | None, reasoning_field: str, *, is_own: bool = True
) -> list[dict[str, Any]]:
    """Returns the messages in a shape that every OpenAI-compatible service accepts.

    `is_own`: the service is the one that gave the turns, so it gets its attachments and ids of calls back.
    """
    serialized: list[dict[str, Any]] = [{"role": "system", "content": system_prompt}] if system_prompt else []
    ids: dict[str, str] = {}
    for message in messages:
        role, blocks = message["role"], message["content"]
        if text := _text_alone(blocks):
            serialized.append({"role": role, "content": text})
        elif role == "assistant":
            ids = _wire_ids(blocks, is_own=is_own)
            serialized.append(_renamed(_assistant(blocks, reasoning_field, is_own=is_own), ids))
        else:
            serialized.extend(_renamed(each, ids) for each in _user(blocks))
    return serialized


def _text_alone(blocks: list[ContentBlock]) -> str:
    """Returns the text of a message that is one, without a name or attachments, as most are; or ""."""
    return blocks[0].get("text", "") if len(blocks) == 1 and len(blocks[0]) == 1 else ""


def to_transcript(messages: Iterable[Message], reasoning_field: str) -> list[dict[str, Any]]:
    """Returns the messages for `messages.to_strands` to read again. LLM services do not accept this shape.

    The differences to `to_openai`: ids are ours, with the service's beside them where they do not carry it,
    and the images of a tool's result stay in its message. So nothing is lost.
    """
    transcript: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "assistant":
            transcript.append(_assistant(message["content"], reasoning_field, is_own=True))
        else:
            transcript.extend(_whole_result(block["toolResult"]) for block in message["content"])
    return transcript


def _whole_result(result: ToolResult) -> dict[str, Any]:
    content = [_part(block) for block in result["content"]]
    return {"role": "tool", "tool_call_id": result["toolUseId"], "content": content}


def _wire_ids(blocks: list[ContentBlock], *, is_own: bool) -> dict[str, str]:
    """Returns the id for the service of each call of a turn, by ours. A service may have repeated its own."""
    uses = [block["toolUse"] for block in blocks if "toolUse" in block]
    tokens = {use["toolUseId"]: call_ids.token_of(use["toolUseId"]) for use in uses}
    if not is_own:
        return tokens
    own = {
        use["toolUseId"]: attached_to(use).get("upstream_id") or call_ids.upstream_of(use["toolUseId"])
        for use in uses
    }
    return own if len(set(own.values())) == len(own) else tokens


def _renamed(message: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    if calls := message.get("tool_calls"):
        for call in calls:
            call["id"] = ids.get(call["id"], call["id"])
            call.pop("upstream_id", None)
    if (call_id := message.get("tool_call_id")) is not None:
        message["tool_call_id"] = ids.get(call_id, call_id)
    return message


def _assistant(blocks: list[ContentBlock], reasoning_field: str, *, is_own: bool) -> dict[str, Any]:
    """Reasoning goes back in the field that it came in: some models refuse to go on without theirs."""
    message: dict[str, Any] = {"role": "assistant", **_name(blocks), "content": _joined(blocks) or None}
    if calls := [_tool_call(block["toolUse"], is_own=is_own) for block in blocks if "toolUse" in block]:
        message["tool_calls"] = calls
        for block in blocks:
            if "reasoningContent" in block:
                _add_reasoning(message, block, reasoning_field)
    if is_own and blocks:
        return attachments.with_attached(message, attached_to(blocks[-1]))
    return message


def reasoning_block(text: str, field: str) -> ContentBlock:
    """Returns reasoning as Strands has it. `field` is where it came in, "" where nobody knows."""
    block: ContentBlock = {"reasoningContent": {"reasoningText": {"text": text}}}
    block["reasoning_field"] = field  # type: ignore[typeddict-unknown-key] # Strands leaves contents as they are
    return block


def _add_reasoning(message: dict[str, Any], block: Any, default_field: str) -> None:
    field: str = block.get("reasoning_field") or default_field
    reasoning = block["reasoningContent"].get("reasoningText", {}).get("text", "")
    if not reasoning or field == ATTACHED_REASONING:
        return
    if field == THINKING:
        text = message["content"]
        parts: list[dict[str, Any]] = [{"type": THINKING, THINKING: [{"type": "text", "text": reasoning}]}]
        message["content"] = [*parts, {"type": "text", "text": text}] if text else parts
    else:
        message[field] = reasoning


def _joined(blocks: Iterable[Any]) -> str:
    return "\n".join(block["text"] for block in blocks if "text" in block)


def _tool_call(tool_use: ToolUse, *, is_own: bool) -> dict[str, Any]:
    """Arguments that were no object become an empty one: chat templates parse them, and would fail."""
    given = tool_use["input"] if isinstance(tool_use["input"], dict) else {}
    function = {"name": tool_use["name"], "arguments": orjson.dumps(given).decode()}
    call = {"id": tool_use["toolUseId"], "type": "function", "function": function}
    return attachments.with_attached(call, attached_to(tool_use)) if is_own else call


def _user(blocks: list[ContentBlock]) -> Iterator[dict[str, Any]]:
    """OpenAI wants the results right after their calls, and accepts images in user messages only.

    So the results come first, and their images follow in a user message.
    """
    images: list[dict[str, Any]] = []
    if blocks and "role" in blocks[0]:  # a system or developer message amid the conversation
        system: Any = blocks[0]
        yield {"role": system["role"], **_name(blocks), "content": system["text"]}
        return
    for block in blocks:
        if "toolResult" in block:
            yield _tool_message(block["toolResult"])
            images += _images(block["toolResult"]["content"])
    if parts := images + [_part(block) for block in blocks if "toolResult" not in block]:
        # Text alone goes as a string: many services accept no list of parts.
        is_text = len(parts) == 1 and parts[0]["type"] == "text"
        yield {"role": "user", **_name(blocks), "content": parts[0]["text"] if is_text else parts}


def _name(blocks: list[ContentBlock]) -> dict[str, str]:
    author: Any = blocks[0].get(AUTHOR) if blocks else None
    return {"name": author} if author else {}


def _tool_message(result: ToolResult) -> dict[str, Any]:
    texts = [_joined(result["content"])]
    if any("image" in block for block in result["content"]):
        texts.append(_IMAGE_FOLLOWS)
    return {
        "role": "tool",
        "tool_call_id": result["toolUseId"],
        "content": "\n".join(text for text in texts if text),
    }


def _images(blocks: Iterable[Any]) -> list[dict[str, Any]]:
    return [_part(block) for block in blocks if "image" in block]


def _part(block: Any) -> dict[str, Any]:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    detail = {"detail": block["detail"]} if "detail" in block else {}
    return {"type": "image_url", "image_url": {"url": _image_url(block), **detail}}


def _image_url(block: Any) -> str:
    if url := image_blocks.address(block):
        return url
    image = block["image"]
    data = base64.b64encode(image["source"]["bytes"]).decode()
    return f"data:image/{image['format']};base64,{data}"
