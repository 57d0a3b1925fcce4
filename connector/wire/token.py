"""What proves to a worker that a caller belongs to this installation."""

import hmac

from django.conf import settings

TOKEN_HEADER = "X-MCP-Connector-Token"  # noqa: S105 - a header's name


def data_plane_token() -> str:
    return hmac.new(settings.SECRET_KEY.encode(), b"connector data plane", "sha256").hexdigest()
