"""The images that callers name by address: a service that can gets the address, another one the bytes.

An address that is passed on is checked as if we were to connect to it: the service may stand in our network.
Whatever is fetched comes through the egress filter.
"""

import asyncio
import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import aiohttp

from core.bounded_read import BodyTooLarge, read_at_most
from core.errors import InvalidRequest
from tools.outbound import egress
from tools.outbound.egress import CALLERS, AddressRefused, Endpoint
from tools.outbound.http import filtered_connector

MOST_IMAGES = 16
"""That are fetched for one request."""
MOST_HOSTS = 16
"""Of the addresses of one request that are passed on: each is resolved."""
MOST_BYTES = 10 * 1024 * 1024
MOST_TOTAL_BYTES = 20 * 1024 * 1024
"""Of all images of a request: encoding them, for the LLM service, blocks the event loop."""
DEADLINE_S = 20.0
RESOLVE_S = 2.0
"""A host that is not resolved until then is passed on: it is the service that must find it."""
_MOST_REDIRECTS = 3
_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}

Messages = Sequence[Mapping[str, Any]]


class _UnusableImage(Exception):
    """The text is for people."""


class InvalidImage(InvalidRequest):
    """400. `url` is the image's address as the caller wrote it."""

    def __init__(self, message: str, url: str, param: str) -> None:
        super().__init__(f"Invalid '{param}': {message}", param=param, code="invalid_image_url")
        self.reason, self.url = message, url


async def for_service(messages: Messages, *, takes_addresses: bool) -> Messages:
    """Returns the messages with each image as the service takes it: a data URL, or its https address.

    Plain http and hosts in IMAGE_PRIVATE_HOSTS are always fetched: no service can be expected to reach them.
    Raises InvalidRequest, whose `param` names the image that cannot be used.
    """
    paths = {url: path for path, url in _addresses(messages)}
    if not paths:
        return messages
    targets = {url: _target(url, path) for url, path in paths.items()}
    passed = _passed_on(targets) if takes_addresses else {}
    await _check_hosts(passed, paths)
    images = await _images({url: path for url, path in paths.items() if url not in passed})
    return _replaced(messages, {url: _data_url(image) for url, image in images.items()})


async def fetched(urls: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """Returns the kind (`png`, ...) and the bytes of each of these images. Raises InvalidRequest."""
    images = await _images(dict.fromkeys(urls, "messages"))
    return {url: (_kind(image), image) for url, image in images.items()}


def _target(url: str, path: str) -> Endpoint:
    try:
        return egress.endpoint(url)
    except AddressRefused as refusal:
        raise InvalidImage(str(refusal), url, path) from None


def _passed_on(targets: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    private = egress.listed(CALLERS)
    return {
        url: target
        for url, target in targets.items()
        if url[:6].lower() == "https:" and target not in private
    }


async def _check_hosts(passed: Mapping[str, Endpoint], paths: Mapping[str, str]) -> None:
    """Raises InvalidRequest for an address that the egress filter refuses."""
    first = {target: url for url, target in reversed([*passed.items()])}
    if len(first) > MOST_HOSTS:
        raise _too_many(f"The images of a request may be at {MOST_HOSTS} hosts at most.")
    await asyncio.gather(*(_check_host(target, url, paths[url]) for target, url in first.items()))


async def _check_host(target: Endpoint, url: str, path: str) -> None:
    try:
        async with asyncio.timeout(RESOLVE_S):
            await egress.addresses(target, private_hosts=CALLERS)
    except AddressRefused as refusal:
        raise InvalidImage(str(refusal), url, path) from None
    except (OSError, TimeoutError):
        return  # nobody resolves it here: offline, or behind a proxy


async def _images(paths: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the bytes of the images, by their addresses. Raises InvalidRequest."""
    if not paths:
        return {}
    if len(paths) > MOST_IMAGES:
        raise _too_many(f"At most {MOST_IMAGES} images are fetched for a request.")
    connector = filtered_connector(limit=MOST_IMAGES, private_hosts=CALLERS)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as session:
        images = await asyncio.gather(*(_image(session, url, path) for url, path in paths.items()))
    if sum(map(len, images)) > MOST_TOTAL_BYTES:
        raise _too_many(f"The images of a request are over {MOST_TOTAL_BYTES:,} bytes.")
    return dict(zip(paths, images, strict=True))


def _addresses(messages: Messages) -> Iterator[tuple[str, str]]:
    for number, message in enumerate(messages):
        for index, part in enumerate(_parts(message)):
            if part.get("type") == "image_url" and _is_address(part["image_url"]["url"]):
                yield f"messages[{number}].content[{index}].image_url.url", part["image_url"]["url"]


def _parts(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) and message["role"] in {"user", "tool"} else ()


def _is_address(url: str) -> bool:
    return url[:5].lower() != "data:"


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
        raise InvalidImage(str(problem), url, path) from None
    except aiohttp.ClientConnectorError as error:
        cause = error.os_error
        message = str(cause) if isinstance(cause, AddressRefused) else "The image's host does not answer."
        raise InvalidImage(message, url, path) from error
    except TimeoutError as error:
        raise InvalidImage(f"The image was not there within {DEADLINE_S:g} s.", url, path) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise InvalidImage("The image cannot be fetched.", url, path) from error


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


def _too_many(message: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid 'messages': {message}", param="messages", code="invalid_image_url")
