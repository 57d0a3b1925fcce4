"""Fetches the images that callers name by URL, through the egress filter, so that LLMs get them as bytes."""

import asyncio
import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import aiohttp

from core.bounded_read import BodyTooLarge, read_at_most
from core.errors import InvalidRequest
from tools.outbound.egress import CALLERS, AddressRefused
from tools.outbound.http import filtered_connector

MOST_IMAGES = 16
MOST_BYTES = 10 * 1024 * 1024
MOST_TOTAL_BYTES = 20 * 1024 * 1024
"""Of all images of a request: encoding them, for the LLM service, blocks the event loop."""
DEADLINE_S = 20.0
_MOST_REDIRECTS = 3
_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}

Messages = Sequence[Mapping[str, Any]]


class _UnusableImage(Exception):
    """The text is for people."""


async def fetched(messages: Messages) -> Messages:
    """Returns the messages with a data URL for each http(s) image.

    Raises InvalidRequest, whose `param` names the image that cannot be fetched.
    """
    paths = {url: path for path, url in _addresses(messages)}
    if not paths:
        return messages
    if len(paths) > MOST_IMAGES:
        raise _invalid("messages", f"At most {MOST_IMAGES} images are fetched for a request.")
    connector = filtered_connector(limit=MOST_IMAGES, private_hosts=CALLERS)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as session:
        images = await asyncio.gather(*(_image(session, url, path) for url, path in paths.items()))
    if sum(map(len, images)) > MOST_TOTAL_BYTES:
        raise _invalid("messages", f"The images of a request are over {MOST_TOTAL_BYTES:,} bytes.")
    return _replaced(messages, dict(zip(paths, map(_data_url, images), strict=True)))


def _addresses(messages: Messages) -> Iterator[tuple[str, str]]:
    for number, message in enumerate(messages):
        for index, part in enumerate(_parts(message)):
            if part.get("type") == "image_url" and _is_address(part["image_url"]["url"]):
                yield f"messages[{number}].content[{index}].image_url.url", part["image_url"]["url"]


def _parts(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) and message["role"] in {"user", "tool"} else ()


def _is_address(url: str) -> bool:
    return url[:8].lower().startswith(("http://", "https://"))


def _replaced(messages: Messages, data_urls: Mapping[str, str]) -> Messages:
    return [
        {**message, "content": [_with_data(part, data_urls) for part in parts]}
        if (parts := _parts(message))
        else message
        for message in messages
    ]


def _with_data(part: Mapping[str, Any], data_urls: Mapping[str, str]) -> Mapping[str, Any]:
    if part.get("type") != "image_url" or part["image_url"]["url"] not in data_urls:
        return part
    return {**part, "image_url": {**part["image_url"], "url": data_urls[part["image_url"]["url"]]}}


def _data_url(image: bytes) -> str:
    return f"data:image/{_kind(image)};base64,{base64.b64encode(image).decode()}"


async def _image(session: aiohttp.ClientSession, url: str, path: str) -> bytes:
    """Returns the bytes of an image, of a kind that LLM services know. Raises InvalidRequest."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            image = await _fetch(session, url)
            _kind(image)
            return image
    except _UnusableImage as problem:
        raise _invalid(path, str(problem)) from None
    except aiohttp.ClientConnectorError as error:
        cause = error.os_error
        message = str(cause) if isinstance(cause, AddressRefused) else "The image's host does not answer."
        raise _invalid(path, message) from error
    except TimeoutError as error:
        raise _invalid(path, f"The image was not there within {DEADLINE_S:g} s.") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise _invalid(path, "The image cannot be fetched.") from error


async def _fetch(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url, headers={"Accept": "image/*"}, max_redirects=_MOST_REDIRECTS) as response:
        if response.status != 200:
            raise _UnusableImage(f"The image's host answered with status {response.status}.")
        try:
            return await read_at_most(response, MOST_BYTES)
        except BodyTooLarge:
            raise _UnusableImage(f"The image is over {MOST_BYTES:,} bytes.") from None


def _kind(data: bytes) -> str:
    """By its first bytes: what a host says of it may be anything."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for start, kind in _KINDS.items():
        if data.startswith(start):
            return kind
    raise _UnusableImage("There is no png, jpeg, gif or webp image at this address.")


def _invalid(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {message}", param=param, code="invalid_image_url")
