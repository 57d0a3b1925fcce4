"""People with the rights of each group, for tests of pages."""

from django.contrib.auth.models import Group, User
from django.test import Client

GROUPS = ("viewer", "auditor", "operator", "manager")


def member(group: str | None, name: str = "") -> User:
    """Somebody who may log in to the console, in one group or in none."""
    user, _is_new = User.objects.get_or_create(username=name or group or "nobody", is_staff=True)
    user.groups.set(Group.objects.filter(name=group))
    return user


def client_of(group: str | None) -> Client:
    """A browser of somebody in this group."""
    client = Client()
    client.force_login(member(group))
    return client
