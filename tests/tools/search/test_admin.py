"""The search for tools in the console and on the command line."""

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client

from assistants import actions as assistant_actions
from tests.tools.search.conftest import BY, index_all, offer, register
from tests.tools.search.embedding_service import EmbeddingService, Reply
from tools.functions import actions
from tools.models import ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/tools/toolfunction/"


@pytest.fixture(autouse=True)
def offered(embedder: EmbeddingService) -> None:
    offer(register("Clouds"), forecast="Tells whether it will rain", wind="<b>Speed</b> of the air")
    offer(register("Post"), send="Sends mail")
    index_all()


def listed(client: Client, **query: Any) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200, response
    return response.content.decode()


def test_staff_see_all_tools_and_the_progress_of_the_index(admin_client: Client) -> None:
    page = listed(admin_client)
    assert all(name in page for name in ("clouds__forecast", "clouds__wind", "post__send"))
    assert re.search(r"Tools: 3, indexed: 3, embedded by topical\S*: 3\.", page)
    assert "<b>Speed" not in page


def test_hits_are_listed_with_their_score_the_best_first(admin_client: Client) -> None:
    page = listed(admin_client, q="Send mail, it will rain")
    assert page.index("post__send") < page.index("clouds__forecast")
    assert page.count("field-why") == 3
    ToolFunction.objects.filter(name="send").update(is_enabled=False)
    assert "post__send" not in listed(admin_client, q="send mail")


def test_a_degraded_search_is_reported(admin_client: Client, embedder: EmbeddingService) -> None:
    embedder.reply = lambda body: Reply(status=401)
    page = listed(admin_client, q="another mail")
    assert "Found by words alone" in page
    assert "post__send" in page


@pytest.mark.parametrize("query", [" ", "🌧️", "'; --", "w" * 10_000])
def test_odd_queries_are_searched(admin_client: Client, query: str) -> None:
    listed(admin_client, q=query)


def test_the_page_needs_the_permission_to_view_tools(client: Client) -> None:
    staff = User.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(staff)
    assert client.get(PAGE).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_toolfunction"))
    assert "clouds__wind" in listed(client)
    function = ToolFunction.objects.get(name="wind")
    assert client.post(f"{PAGE}{function.pk}/change/", {"is_enabled": ""}).status_code == 403
    assert client.post(f"{PAGE}{function.pk}/delete/", {"post": "yes"}).status_code == 403


def test_tools_are_read_only(admin_client: Client) -> None:
    function = ToolFunction.objects.get(name="wind")
    page = admin_client.get(f"{PAGE}{function.pk}/change/").content.decode()
    assert "clouds__wind" in page
    assert 'name="_save"' not in page


def on_command_line(*arguments: str) -> tuple[list[str], str]:
    out, err = StringIO(), StringIO()
    call_command("search_tools", *arguments, stdout=out, stderr=err)
    return out.getvalue().splitlines(), err.getvalue()


def test_the_command_lists_the_best_hits_first() -> None:
    lines, summary = on_command_line("Will it rain?", "--limit", "2")
    assert len(lines) == 2
    assert "clouds__forecast  Tells whether it will rain" in lines[0]
    assert summary == "3 of 3 tools are indexed.\n"


def test_the_command_searches_in_the_scope_of_an_assistant() -> None:
    actions.update(ToolFunction.objects.get(name="send"), by=BY, overrides={"description": "Posts\nmail"})
    server = ToolFunction.objects.get(name="send").server
    assistant_actions.create(by=BY, name="Clerk", slug="clerk", tools=[server])
    lines, _ = on_command_line("Will it rain?", "--assistant", "clerk")
    assert [line.split("  ")[1:] for line in lines] in ([], [["post__send", "Posts mail"]])
    with pytest.raises(CommandError, match="There is no assistant nobody"):
        on_command_line("rain", "--assistant", "nobody")


def test_the_command_reports_a_degraded_search(embedder: EmbeddingService) -> None:
    embedder.reply = lambda body: Reply(status=401)
    lines, summary = on_command_line("mail for somebody")
    assert len(lines) == 1
    assert "By words alone:" in summary
