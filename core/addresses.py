"""The address by which callers reach this installation."""

from django.conf import settings
from django.http import HttpRequest


def base_url(request: HttpRequest) -> str:
    """Returns PUBLIC_URL if it is set, else the address of the request; without a slash at the end."""
    return getattr(settings, "PUBLIC_URL", "") or request.build_absolute_uri("/").rstrip("/")
