"""The token by which a worker recognises callers of this installation."""

import hmac

from django.conf import settings


def data_plane_token() -> str:
    """Returns the same token in every process: it is derived from SECRET_KEY, which all of them have."""
    return hmac.new(settings.SECRET_KEY.encode(), b"connector data plane", "sha256").hexdigest()
