"""People of the console, in tests: with Django's client, and in the real product over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from django.contrib.auth.models import Group, User

from tests.stack import Stack

PASSWORD = "long-enough-7"


@contextmanager
def member_of_stack(stack: Stack, group: str) -> Iterator[httpx.Client]:
    """Logs a new member of a group in, as a browser does. Its posts send the CSRF token."""
    name = f"{group}-{stack.port}"
    with stack.database():
        user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        if is_new:
            user.set_password(PASSWORD)
            user.save()
            user.groups.add(Group.objects.get(name=group))
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        client.get("/admin/login/")
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/admin/login/", data=form).status_code == 302
        client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
        yield client
