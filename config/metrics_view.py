"""GET /metrics: what the processes of this host have counted, and what the database and Redis know now.

Where a host has no web process, a worker answers instead: config/metrics_server.py.
"""

import asyncio
import logging

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.exceptions import APIException, AuthenticationFailed

from config import errors, gauges, metrics_access
from core.metrics import files
from core.recent import Recent

log = logging.getLogger(__name__)

CACHED_S = 5.0


class _Refused(AuthenticationFailed):
    auth_header = "Bearer"


class _Unwritable(APIException):
    status_code = 503
    default_code = "metrics_unavailable"


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS:
        raise Http404
    if reason := metrics_access.refusal(request.headers, request.META.get("REMOTE_ADDR", "")):
        return errors.response(request.path, _Refused(reason))
    try:
        counted, known = await asyncio.gather(asyncio.to_thread(files.rendered), _known.get())
    except OSError as error:
        log.warning("METRICS_DIR %s cannot be used: %s.", settings.METRICS_DIR, error.strerror)
        return errors.response(request.path, _Unwritable(f"METRICS_DIR cannot be used: {error.strerror}."))
    return HttpResponse(counted + known, content_type=CONTENT_TYPE_LATEST)


_known = Recent(gauges.rendered, CACHED_S)
"""What the services know, read once however many ask."""
