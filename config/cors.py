"""CORS: django-cors-headers, which here allows any request header to the origins of CORS_ORIGINS."""

import re

from corsheaders import middleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

_ALLOWED = middleware.ACCESS_CONTROL_ALLOW_HEADERS
_REQUESTED = "access-control-request-headers"
_NAMES = re.compile(r"[\w!#$%&'*+.^`|~, \t-]+", re.ASCII)
"""A list of header names (RFC 9110, section 5.1)."""


class CorsMiddleware(middleware.CorsMiddleware):
    """Allows what a preflight request asks for, beside CORS_ALLOW_HEADERS.

    A list would be out of date: each release of an SDK may send another `x-stainless-*`, and a single
    header that is missing stops the whole call in the browser. Nothing is lost: the operator has listed the
    origin, and it may send credentials. (`*` means every header only for requests without credentials:
    Fetch standard, section 3.2.4.)
    """

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not request.META.get("HTTP_ORIGIN"):  # no page: spared the parsing of all headers
            if self.is_enabled(request):
                patch_vary_headers(response, ("origin",))
            return response
        super().add_response_headers(request, response)
        requested = request.headers.get(_REQUESTED, "")
        if _ALLOWED in response.headers and _NAMES.fullmatch(requested):
            response.headers[_ALLOWED] = f"{response.headers[_ALLOWED]}, {requested}"
        return response
