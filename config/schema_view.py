"""GET /api/schema: the OpenAPI description, made once by each process."""

from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
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
            content, tag = _rendered(str(renderer.format))
        charset = f"; charset={renderer.charset}" if renderer.charset else ""
        headers = {
            "ETag": tag,
            "Content-Disposition": f'inline; filename="MCP Connector.{renderer.format}"',
        }
        response = HttpResponse(content, content_type=f"{renderer.media_type}{charset}", headers=headers)
        django_request: HttpRequest = request._request  # noqa: SLF001 - Django's function takes no request of DRF
        return get_conditional_response(django_request, tag, None, response) or response


@cache
def _rendered(kind: str) -> tuple[bytes, str]:
    """Returns the description, as "json" or "yaml", and its entity tag."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    renderer = OpenApiJsonRenderer() if kind == "json" else OpenApiYamlRenderer()
    rendered = renderer.render(schema, renderer_context={})
    content = rendered.encode() if isinstance(rendered, str) else rendered
    return content, quote_etag(sha256(content).hexdigest()[:32])
