"""Who looks at the console under measurement."""

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore


def session_of_a_superuser() -> str:
    """Returns the session of somebody who is logged in, and may see every page."""
    user = User.objects.create_superuser("bench")
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[-1]
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)
