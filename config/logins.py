"""Settings of the console's logins: which passwords are taken, and what happens after failures.

django-axes locks a user's name at an address after some failures. They are counted in the database, so that
all web processes share them. How many, and for how long, is set by LOGIN_FAILURE_LIMIT and LOGIN_LOCK_S in
config/settings.py.
"""

from ipaddress import ip_address
from typing import Any

from django.http import HttpRequest

LOGINS: dict[str, Any] = {
    "AUTH_PASSWORD_VALIDATORS": [
        {"NAME": f"django.contrib.auth.password_validation.{name}"}
        for name in (
            "UserAttributeSimilarityValidator",
            "MinimumLengthValidator",
            "CommonPasswordValidator",
            "NumericPasswordValidator",
        )
    ],
    "AUTHENTICATION_BACKENDS": [
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],
    "AXES_CLIENT_IP_CALLABLE": "config.logins.address_of",
    "AXES_LOCKOUT_CALLABLE": "apikeys.admin.login.locked_out",
    # The page says until when: an attempt meanwhile must not move that.
    "AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT": False,
    "AXES_RESET_ON_SUCCESS": True,
    "AXES_DISABLE_ACCESS_LOG": True,  # the audit log has what matters
    "AXES_ENABLE_ADMIN": False,
    "AXES_VERBOSE": False,
}


def address_of(request: HttpRequest) -> str | None:
    """Returns the address of the caller: uvicorn has read it from a proxy that FORWARDED_ALLOW_IPS names."""
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:  # a Unix socket has none
        return None
