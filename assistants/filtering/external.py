"""The external filter: a service of the operator's that accepts, refuses or replaces calls and their results.

It is asked by HTTP, before a call and after its result. Whatever it answers that is not exactly what
docs/filters.md says counts as a failure, and TOOL_FILTER_FAILS decides then.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import orjson
from django.conf import settings

from assistants.catalogue import FunctionEntry
from core.bounded_read import BodyTooLarge, read_at_most
from tools.outbound.http import filtered_connector

log = logging.getLogger(__name__)

MOST_BYTES = 4 * 1024 * 1024
"""Of what it is sent, and of what it answers."""
LONGEST_REASON = 1_000
_NO_ANSWER = "The filter of this installation did not answer."
_session: aiohttp.ClientSession | None = None

Stage = Literal["call", "result"]
_PARTS = {"call": "arguments", "result": "result"}


@dataclass(frozen=True, slots=True)
class About:
    """Whose call it is."""

    assistant: str = ""
    key_prefix: str = ""
    end_user: str = ""


class FilterRefused(Exception):
    """The filter refuses a call or a result. The text is its reason, for the model and the caller."""


class _Failed(Exception):
    """The filter did not give a proper answer."""


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """The filter can be asked, in this event loop, for as long as the context lasts."""
    global _session  # noqa: PLW0603 - one for the process, as its connections are kept alive
    if not settings.TOOL_FILTER_URL:
        yield
        return
    connector = filtered_connector(exempt=[settings.TOOL_FILTER_URL], limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=settings.TOOL_FILTER_TIMEOUT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as _session:
        try:
            yield
        finally:
            _session = None


async def filter_call(function: FunctionEntry, arguments: Mapping[str, Any], about: About) -> dict[str, Any]:
    """Returns the arguments that the call may be made with. Raises FilterRefused."""
    return await _filtered("call", function, dict(arguments), about)


async def filter_result(function: FunctionEntry, result: dict[str, Any], about: About) -> dict[str, Any]:
    """Returns the result, as wire JSON, that may be passed on. Raises FilterRefused."""
    return await _filtered("result", function, result, about)


async def _filtered(
    stage: Stage, function: FunctionEntry, value: dict[str, Any], about: About
) -> dict[str, Any]:
    if not settings.TOOL_FILTER_URL:
        return value
    question = {
        "stage": stage,
        "server": function.server_slug,
        "function": function.name,
        "assistant": about.assistant,
        "key": about.key_prefix,
        "end_user": about.end_user,
        _PARTS[stage]: value,
    }
    try:
        return _decided(stage, value, await _ask(question))
    except (_Failed, aiohttp.ClientError, BodyTooLarge, TimeoutError, ValueError, TypeError) as failure:
        # The kind alone: the text of an error may quote what was sent.
        reason = str(failure) if isinstance(failure, _Failed) else type(failure).__name__
        log.error("The filter of tools failed (%s): calls %s.", reason, settings.TOOL_FILTER_FAILS)
        if settings.TOOL_FILTER_FAILS == "open":
            return value
        raise FilterRefused(_NO_ANSWER) from failure


async def _ask(question: Mapping[str, Any]) -> Any:
    body = orjson.dumps(question)
    if len(body) > MOST_BYTES:
        raise _Failed("too long to be asked about")
    if _session is None:
        raise _Failed("not running in this process")
    headers = {"content-type": "application/json"}
    if settings.TOOL_FILTER_TOKEN:
        headers["authorization"] = f"Bearer {settings.TOOL_FILTER_TOKEN}"
    async with _session.post(
        settings.TOOL_FILTER_URL, data=body, headers=headers, allow_redirects=False
    ) as response:
        if response.status != 200:
            raise _Failed(f"status {response.status}")
        return orjson.loads(await read_at_most(response, MOST_BYTES))


def _decided(stage: Stage, value: dict[str, Any], answer: Any) -> dict[str, Any]:
    """Returns what may be passed on. Raises FilterRefused, and _Failed for an answer that is none."""
    match answer:
        case {"action": "accept", **rest} if not rest:
            return value
        case {"action": "refuse", **rest} if not rest.keys() - {"reason"}:
            reason = rest.get("reason", "")
            if isinstance(reason, str):
                raise FilterRefused(reason[:LONGEST_REASON] or "A filter of this installation refuses it.")
        case {"action": "replace", **rest} if rest.keys() == {_PARTS[stage]}:
            replaced = rest[_PARTS[stage]]
            if isinstance(replaced, dict) and (stage == "call" or _is_result(replaced)):
                return replaced
    raise _Failed("an answer that is none")


def _is_result(value: Mapping[str, Any]) -> bool:
    content = value.get("content")
    return (
        not value.keys() - {"content", "structuredContent", "isError", "_meta"}
        and isinstance(content, list)
        and all(isinstance(block, dict) and isinstance(block.get("type"), str) for block in content)
        and isinstance(value.get("structuredContent"), dict | None)
        and isinstance(value.get("isError", False), bool)
    )
