"""Tells open pages whether servers have changed, so that they ask for what they show only then.

An answer is a hash, from memory: a request of the console, with its middleware and the look-up of a session,
costs many times as much. The hash tells nothing of what has changed: for that a page asks as its reader. So
there is no login; an address is signed, for ten minutes, and goes with what a page shows.
"""

import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.db.models.functions import MD5
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from core.database import in_thread
from core.feed import FeedCache
from tools.models import MCPTool

HEADER = "X-Changes"
"""Of an answer with what moves: the address to ask whether it has changed."""
_signer = signing.TimestampSigner(salt="server changes")
_VALID_S = 600
_TABLES = ("tools_mcptool", "tools_toolfunction", "connector_instance")
_ASKED_WITHIN_S = 30
_OF_INSTANCES = ("slot", "phase", "worker_id", "pid", "restarts", "error", "last_exit")


def address(ids: Iterable[int], *, with_output: bool = False) -> str:
    """Returns where a page may ask whether these servers have changed, or what they wrote last."""
    signed = _signer.sign_object([list(ids), with_output])
    return f"{reverse('server_changes')}?{urlencode({'of': signed})}"


async def server_changes(request: HttpRequest) -> HttpResponse:
    """Answers `?of=` with a hash; with 404 if nobody, or too long ago, was given this address."""
    try:
        ids, with_output = _signer.unsign_object(request.GET.get("of", ""), max_age=_VALID_S)
    except signing.BadSignature:
        return HttpResponse(status=404)
    seen = [await _states.of(ids), await _outputs.of(ids) if with_output else None]
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(sha256(repr(seen).encode()).hexdigest(), "text/plain", headers=headers)


class _Seen:
    """What was last seen of all servers that pages have just asked about: they share its queries."""

    def __init__(
        self, read: Callable[[list[int]], dict[int, Any]], tables: Iterable[str], max_age_s: float
    ) -> None:
        self._read = in_thread(read)
        self._cache = FeedCache(self._load, tables, max_age_s=max_age_s)
        self._asked: dict[int, float] = {}

    async def of(self, ids: Iterable[int]) -> list[Any]:
        ids = list(ids)
        self._asked |= dict.fromkeys(ids, time.monotonic())
        seen = await self._cache.get(None)
        if not seen.keys() >= set(ids):
            self._cache.clear()
            seen = await self._cache.get(None)
        return [seen[pk] for pk in ids]

    async def _load(self, _: None) -> dict[int, Any]:
        since = time.monotonic() - _ASKED_WITHIN_S
        self._asked = {pk: at for pk, at in self._asked.items() if at > since}
        ids = list(self._asked)
        return dict.fromkeys(ids) | await self._read(ids)


def _read_states(ids: list[int]) -> dict[int, Any]:
    servers: Any = MCPTool.objects.present().filter(pk__in=ids).order_by().with_function_count()
    of_servers = servers.values_list("pk", "status", "error", "replicas", "function_count")
    of_instances = _grouped(_instances(ids).values_list("server_id", *_OF_INSTANCES))
    return {pk: (seen, of_instances.get(pk)) for pk, *seen in of_servers}


def _read_outputs(ids: list[int]) -> dict[int, Any]:
    return _grouped(_instances(ids).values_list("server_id", MD5("stderr_tail")))


def _instances(ids: list[int]) -> Any:
    # By the model's field: `connector`, where instances are, imports this app.
    instances: Any = MCPTool._meta.get_field("instances").related_model
    return instances.objects.filter(server__in=ids).order_by("server", "slot")


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[Any]]:
    grouped: dict[int, list[Any]] = {}
    for pk, *seen in rows:
        grouped.setdefault(pk, []).append(seen)
    return grouped


_states = _Seen(_read_states, _TABLES, max_age_s=10)
"""The feed reports a state at once, but not another error of a server that still fails."""
_outputs = _Seen(_read_outputs, (), max_age_s=2.5)
"""The feed does not report what is written on standard error."""
