"""GET /metrics: what the processes of this host have counted, and what the database and Redis know now.

Anybody on this machine may ask. Where METRICS_TOKEN is set everybody needs it, and without it nobody else may
ask: see docs/observability.md.
"""

import asyncio
import hmac
import ipaddress

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.exceptions import AuthenticationFailed

from config import errors, gauges
from core.metrics import files
from core.recent import Recent

CACHED_S = 5.0
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class _Refused(AuthenticationFailed):
    auth_header = "Bearer"


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS:
        raise Http404
    if reason := _refusal(request):
        return errors.response(request.path, _Refused(reason))
    counted, known = await asyncio.gather(asyncio.to_thread(files.rendered), _known.get())
    return HttpResponse(counted + known, content_type=CONTENT_TYPE_LATEST)


def _refusal(request: HttpRequest) -> str:
    """Returns why the caller is given nothing; "" for one who may have the metrics."""
    if expected := settings.METRICS_TOKEN:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # As bytes: compare_digest raises TypeError for text that is not ASCII.
        is_right = hmac.compare_digest(given.strip().encode(), expected.encode())
        return "" if is_right and scheme.lower() == "bearer" else "Send METRICS_TOKEN as a bearer token."
    return (
        "" if _is_local(request) else "From other machines METRICS_TOKEN is needed, and it is not set here."
    )


def _is_local(request: HttpRequest) -> bool:
    """Whether a program on this machine asks, and no proxy or web page on behalf of another."""
    host = request.META.get("HTTP_HOST", "").rpartition(":")
    name = host[0] if host[0] and host[2].isdecimal() else "".join(host)
    is_forwarded = any(header in request.META for header in _FORWARDED)
    return name in _LOCAL_NAMES and not is_forwarded and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


_known = Recent(gauges.rendered, CACHED_S)
"""What the services know, read once however many ask."""
