"""Images in Strands messages as callers name them: by address, or with a `detail`. Strands knows neither."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from strands.types.content import ContentBlock, Messages


def at(url: str) -> ContentBlock:
    return cast(ContentBlock, {"image": {"source": {"url": url}}})


def address(block: Any) -> str:
    """Returns the address of an image, "" for bytes and for what is no image."""
    return str(block["image"]["source"].get("url", "")) if "image" in block else ""


def addresses(messages: Iterable[Any]) -> Iterator[str]:
    for message in messages:
        for block in _blocks(message["content"]):
            if url := address(block):
                yield url


def with_bytes(messages: Messages, images: Mapping[str, tuple[str, bytes]]) -> Messages:
    """Returns the messages with the images of these addresses as bytes. `images`: kind and bytes of each."""

    def with_bytes(block: Any) -> Any:
        if found := images.get(address(block)):
            kind, data = found
            return {**block, "image": {"format": kind, "source": {"bytes": data}}}
        return block

    return _mapped(messages, with_bytes)


def without_details(messages: Messages) -> Messages:
    """Returns the messages as the vendors' SDKs take them: some refuse what they do not know."""
    return _mapped(messages, lambda block: {"image": block["image"]} if "detail" in block else block)


def _blocks(content: Iterable[Any]) -> Iterator[Any]:
    for block in content:
        yield block
        if "toolResult" in block:
            yield from block["toolResult"]["content"]


def _mapped(messages: Messages, change: Callable[[Any], Any]) -> Messages:
    contents = ([_changed(block, change) for block in each["content"]] for each in messages)
    return cast(
        Messages, [{**each, "content": content} for each, content in zip(messages, contents, strict=True)]
    )


def _changed(block: Any, change: Callable[[Any], Any]) -> Any:
    if "toolResult" not in block:
        return change(block)
    result = block["toolResult"]
    return {**block, "toolResult": {**result, "content": [change(part) for part in result["content"]]}}
