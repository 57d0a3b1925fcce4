"""The result of an MCP tool as the model gets it: text and images, within limits."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.conf import settings
from strands.types.media import ImageFormat
from strands.types.tools import ToolResult, ToolResultContent

from connector.wire.results import CallResult
from core.repaired_json import repaired_text

_IMAGE_FORMATS: dict[str, ImageFormat] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
MAX_IMAGES = 8


def of_call(call_id: str, result: CallResult) -> ToolResult:
    """Returns the result of a call: text of at most TOOL_RESULT_LIMIT bytes, then at most MAX_IMAGES images.

    A block of another kind becomes a line that names it.
    """
    images = [block for block in map(_image, result.content) if block is not None]
    texts = list(_texts(result))
    if len(images) > MAX_IMAGES:
        texts.append(f"[{len(images) - MAX_IMAGES} more images, not shown]")
    if not texts and not images:
        texts.append("(no output)")
    text = _capped(repaired_text("\n".join(texts)), settings.TOOL_RESULT_LIMIT)
    content: list[ToolResultContent] = [{"text": text}] if texts else []
    content += images[:MAX_IMAGES]
    return {"toolUseId": call_id, "status": "error" if result.is_error else "success", "content": content}


def success(call_id: str, text: str) -> ToolResult:
    return {"toolUseId": call_id, "status": "success", "content": [{"text": text}]}


def error(call_id: str, message: str) -> ToolResult:
    return {"toolUseId": call_id, "status": "error", "content": [{"text": repaired_text(message)}]}


def _texts(result: CallResult) -> Iterator[str]:
    # The specification asks servers to send structured content as text too; some do not.
    if not result.content and result.structured_content is not None:
        yield orjson.dumps(result.structured_content).decode()
    for block in result.content:
        match block.get("type"):
            case "text":
                yield str(block.get("text") or "")
            case "resource_link":
                yield f"[{block.get('name')}]({block.get('uri')})"
            case "resource":
                yield _resource(block.get("resource") or {})
            case "image" if block.get("mimeType") in _IMAGE_FORMATS:
                if _image(block) is None:
                    yield "[image that is not valid base64]"
            case kind:
                yield f"[{kind} of type {block.get('mimeType')}, not shown]"


def _resource(resource: Mapping[str, Any]) -> str:
    if isinstance(resource.get("text"), str):
        return f"{resource.get('uri')}:\n{resource['text']}"
    return f"[{resource.get('uri')} of type {resource.get('mimeType')}, not shown]"


def _image(block: Mapping[str, Any]) -> ToolResultContent | None:
    name = _IMAGE_FORMATS.get(block.get("mimeType", "")) if block.get("type") == "image" else None
    if name is None:
        return None
    try:
        data = base64.b64decode(block.get("data", ""), validate=True)
    except binascii.Error:
        return None
    return {"image": {"format": name, "source": {"bytes": data}}}


def _capped(text: str, limit: int) -> str:
    """Returns the beginning and the end of a text that is too long, with a note to the model between them."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    head, tail = raw[: limit * 3 // 4], raw[-(limit // 4) :]
    note = f"\n[... {len(raw) - limit:,} of {len(raw):,} bytes left out here: the result is too long ...]\n"
    return head.decode(errors="ignore") + note + tail.decode(errors="ignore")
