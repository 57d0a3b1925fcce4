"""GET /api/schema: the OpenAPI description, made once by each process."""

from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer

_lock = Lock()


class SchemaView(SpectacularAPIView):
    """Anybody may ask, so it must cost nothing: to make and render the description takes most of a second."""

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: BaseRenderer = request.accepted_renderer
        with _lock:  # the first requests wait for one that makes it
            content, tag = _rendered(type(renderer))
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        headers = {
            "ETag": tag,
            "Content-Disposition": f'inline; filename="MCP Connector.{renderer.format}"',
        }
        response = HttpResponse(content, content_type=f"{renderer.media_type}{charset}", headers=headers)
        django_request: HttpRequest = request._request  # noqa: SLF001 - Django's function takes no request of DRF
        conditional: HttpResponse = get_conditional_response(django_request, tag, None, response)
        return conditional


@cache
def _rendered(renderer: type[BaseRenderer]) -> tuple[bytes, str]:
    """Returns the description and its entity tag."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    content: bytes = renderer().render(schema, renderer_context={})
    return content, quote_etag(sha256(content).hexdigest()[:32])
