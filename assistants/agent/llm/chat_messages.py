"""Strands messages as OpenAI chat messages. The way back is `assistants.agent.messages`."""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from strands.types.content import ContentBlock, Message
from strands.types.tools import ToolResult, ToolUse

_IMAGE_FOLLOWS = "The tool returned an image: it follows in the next user message."


def to_openai(
    messages: Iterable[Message], system_prompt: str | None, reasoning_field: str
) -> list[dict[str, Any]]:
    """Returns the messages in a shape that every OpenAI-compatible service accepts."""
    serialized: list[dict[str, Any]] = [{"role": "system", "content": system_prompt}] if system_prompt else []
    for message in messages:
        if message["role"] == "assistant":
            serialized.append(_assistant(message["content"], reasoning_field))
        else:
            serialized.extend(_user(message["content"]))
    return serialized


def to_transcript(messages: Iterable[Message], reasoning_field: str) -> list[dict[str, Any]]:
    """Returns the messages for `messages.to_strands` to read again. LLM services do not accept this shape.

    The difference to `to_openai`: the images of a tool's result stay in its message, so nothing is lost.
    """
    transcript: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "assistant":
            transcript.append(_assistant(message["content"], reasoning_field))
        else:
            transcript.extend(_whole_result(block["toolResult"]) for block in message["content"])
    return transcript


def _whole_result(result: ToolResult) -> dict[str, Any]:
    content = [_part(block) for block in result["content"]]
    return {"role": "tool", "tool_call_id": result["toolUseId"], "content": content}


def _assistant(blocks: list[ContentBlock], reasoning_field: str) -> dict[str, Any]:
    """Reasoning goes back in the field that it came in: some models refuse to go on without theirs."""
    message: dict[str, Any] = {"role": "assistant", "content": _joined(blocks) or None}
    if calls := [_tool_call(block["toolUse"]) for block in blocks if "toolUse" in block]:
        message["tool_calls"] = calls
        if reasoning := "".join(_reasoning(blocks)):
            message[reasoning_field] = reasoning
    return message


def _joined(blocks: Iterable[Any]) -> str:
    return "\n".join(block["text"] for block in blocks if "text" in block)


def _reasoning(blocks: list[ContentBlock]) -> Iterator[str]:
    for block in blocks:
        if "reasoningContent" in block:
            yield block["reasoningContent"].get("reasoningText", {}).get("text", "")


def _tool_call(tool_use: ToolUse) -> dict[str, Any]:
    """Arguments that were no object become an empty one: chat templates parse them, and would fail."""
    given = tool_use["input"] if isinstance(tool_use["input"], dict) else {}
    function = {"name": tool_use["name"], "arguments": orjson.dumps(given).decode()}
    return {"id": tool_use["toolUseId"], "type": "function", "function": function}


def _user(blocks: list[ContentBlock]) -> Iterator[dict[str, Any]]:
    """OpenAI wants the results right after their calls, and accepts images in user messages only.

    So the results come first, and their images follow in a user message.
    """
    images: list[dict[str, Any]] = []
    for block in blocks:
        if "toolResult" in block:
            yield _tool_message(block["toolResult"])
            images += _images(block["toolResult"]["content"])
    if parts := images + [_part(block) for block in blocks if "toolResult" not in block]:
        # Text alone goes as a string: many services accept no list of parts.
        is_text = len(parts) == 1 and parts[0]["type"] == "text"
        yield {"role": "user", "content": parts[0]["text"] if is_text else parts}


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
    image = block["image"]
    data = base64.b64encode(image["source"]["bytes"]).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/{image['format']};base64,{data}"}}
