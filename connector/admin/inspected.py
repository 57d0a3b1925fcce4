"""A result of a server as parts that a page can show. All of it is hostile: a script puts it in by text."""

import base64
import binascii
from typing import Any, Literal, TypedDict

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connector.wire.results import CallResult
from core.admin.text import shown

MOST_PARTS = 100
MOST_CHARACTERS = 200_000
MOST_IMAGE = 8 * 1024 * 1024
"""Characters of base64."""
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Types that a page shows as images: none of them is a document with scripts."""


class Part(TypedDict):
    """`title` tells what it is. `text` is shown as it is; of an `image` it is a data URL.

    `json` is indented already; `html` is shown as text, or in a frame that may do nothing.
    """

    kind: Literal["text", "json", "image", "html"]
    title: str
    text: str


def parts_of_call(result: CallResult) -> list[Part]:
    parts = [_part_of_block(block) for block in result.content[:MOST_PARTS]]
    if len(result.content) > MOST_PARTS:
        left = len(result.content) - MOST_PARTS
        more = ngettext("%(count)d more part is not shown.", "%(count)d more parts are not shown.", left) % {
            "count": left
        }
        parts.append({"kind": "text", "title": _("Cut"), "text": more})
    if result.structured_content is not None:
        parts.append(_json(_("Structured content"), result.structured_content))
    return parts


def parts_of_messages(messages: list[dict[str, Any]]) -> list[Part]:
    parts: list[Part] = []
    for message in messages[:MOST_PARTS]:
        content = message.get("content")
        part = _part_of_block(content) if isinstance(content, dict) else _text(_("Text"), content)
        role = shown(message.get("role", ""), most=32)
        parts.append({"kind": part["kind"], "title": f"{role}: {part['title']}", "text": part["text"]})
    return parts


def parts_of_resource(contents: dict[str, Any]) -> list[Part]:
    title = shown(contents.get("uri", ""), most=500)
    kind = str(contents.get("mimeType") or "").partition(";")[0].strip().lower()
    if "text" not in contents:
        return [_blob(title, kind, str(contents.get("blob") or ""))]
    text = str(contents["text"])
    # `ui://` resources of MCP Apps are HTML, whatever their type says.
    if kind in {"text/html", "application/xhtml+xml"} or kind.endswith("+mcp") or title.startswith("ui://"):
        return [{"kind": "html", "title": title, "text": text[:MOST_CHARACTERS]}]
    return [_text(title, text)]


def _part_of_block(block: dict[str, Any]) -> Part:
    match block.get("type"):
        case "text":
            return _text(_("Text"), block.get("text", ""))
        case "image":
            return _blob(_("Image"), str(block.get("mimeType", "")).lower(), str(block.get("data", "")))
        case "resource" if isinstance(block.get("resource"), dict):
            return parts_of_resource(block["resource"])[0]
        case "resource_link":
            return _text(_("Link to a resource"), block.get("uri", ""))
        case "audio":
            return _size(_("Audio"), str(block.get("mimeType", "")), str(block.get("data", "")))
    return _json(shown(block.get("type", ""), most=32), block)


def _text(title: str, text: Any) -> Part:
    found = str(text)
    if found[:1] in {"{", "["} and len(found) <= MOST_CHARACTERS:
        try:
            return _json(title, orjson.loads(found))
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            pass  # text that begins like JSON
    return {"kind": "text", "title": title, "text": shown(found, most=MOST_CHARACTERS)}


def _json(title: str, value: Any) -> Part:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return {"kind": "json", "title": title, "text": shown(text, most=MOST_CHARACTERS)}


def _blob(title: str, kind: str, data: str) -> Part:
    if kind not in IMAGES or len(data) > MOST_IMAGE:
        return _size(title, kind, data)
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return {"kind": "text", "title": title, "text": _("An image that is not valid base64.")}
    return {"kind": "image", "title": title, "text": f"data:{kind};base64,{data}"}


def _size(title: str, kind: str, data: str) -> Part:
    told = {"kind": shown(kind, most=64) or "?", "size": f"{len(data.rstrip('=')) * 3 // 4:,}"}
    return {"kind": "text", "title": title, "text": _("%(kind)s, %(size)s bytes: not shown.") % told}
