"""The scene of journeys through the console. It is made once, for all of them."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command

from tests.console.staff import PASSWORD
from tests.journeys.console import LogIn, logins
from tests.stack import Stack
from tools.models import MCPTool


@pytest.fixture(scope="session")
def people(stack: Stack) -> None:
    """A manager and a viewer."""
    call_command("collectstatic", interactive=False, verbosity=0)
    with stack.database():
        for group in ("manager", "viewer"):
            user = User.objects.create_user(f"journey-{group}", password=PASSWORD, is_staff=True)
            user.groups.add(Group.objects.get(name=group))


@pytest.fixture(scope="session")
def walked(stack: Stack) -> MCPTool:
    return stack.server("Walked")


@pytest.fixture
def log_in(stack: Stack, people: None) -> Iterator[LogIn]:
    """Must be a test's last fixture: once there is a browser, Django refuses its thread the database."""
    with logins(stack.url) as log_in:
        yield log_in
