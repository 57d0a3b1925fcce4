"""The list of servers and their form: states, live cells, operations by button, rows of names and values."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from connector.models import Instance, Worker
from tests.console.pages import BY, SERVERS, errors_of, messages_of, send
from tests.queries import assert_same_queries
from tools import actions
from tools.models import MCPTool, Status

pytestmark = pytest.mark.django_db


def member(group: str, client: Client) -> Client:
    user = User.objects.create_user(group, password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return client


def broken(name: str = "Broken") -> MCPTool:
    server = actions.register(by=BY, name=name, connection_type="stdio", command="python")
    worker, _ = Worker.objects.get_or_create(name="w", node="node-1", host_id="h", socket="/s")
    Instance.objects.create(server=server, worker=worker, phase="crash_loop", restarts=3, pid=77)
    error = {"class": "crashed", "message": "It ended <b>early</b>\u202e.", "remedy": "Read its output."}
    MCPTool.objects.filter(pk=server.pk).update(status=Status.ERROR, error=error)
    return server


def test_the_list_says_how_each_server_does_and_why_it_broke(admin_client: Client) -> None:
    server = broken()
    page = admin_client.get(SERVERS).content.decode()
    for expected in ("Error", server.slug, "0 of 1", "node-1", "Read its output.", "What to do"):
        assert expected in page
    assert "<b>early" not in page
    assert "\u202e" not in page
    assert "It ended &lt;b&gt;early&lt;/b&gt;&lt;U+202E&gt;." in page


def test_why_a_server_broke_is_escaped_once(admin_client: Client) -> None:
    server = broken()
    page = admin_client.get(f"{SERVERS}{server.pk}/change/").content.decode()
    assert "It ended &lt;b&gt;early&lt;/b&gt;" in page
    assert "&amp;lt;" not in page


def test_queries_of_the_list_and_of_its_live_cells_do_not_grow_with_servers(admin_client: Client) -> None:
    broken()
    ids = ",".join(map(str, range(10_000)))
    for address, prefix in ((SERVERS, "a"), (f"{SERVERS}live/?ids={ids}", "b")):
        assert_same_queries(
            lambda address=address: admin_client.get(address),
            after=lambda prefix=prefix: [broken(f"{prefix}{number}") for number in range(5)],
        )


def test_live_cells_tell_what_moves(admin_client: Client) -> None:
    server = broken()
    Instance.objects.update(phase="ready", checked_at=timezone.now())
    MCPTool.objects.update(status=Status.RUNNING, error=None)
    live = admin_client.get(f"{SERVERS}live/?ids={server.pk},x,,{'9' * 30}").json()["servers"]
    assert live.keys() == {str(server.pk)}
    shown = live[str(server.pk)]
    assert (shown["state"]["word"], shown["state"]["tone"]) == ("Running", "success")
    assert (shown["instances"], shown["tools"], shown["checked"]["text"]) == ("1 of 1", "0", "just now")


@pytest.mark.parametrize("name", ["start", "stop", "restart", "refresh"])
@pytest.mark.parametrize(
    ("group", "may"), [("viewer", False), ("auditor", False), ("operator", True), ("manager", True)]
)
def test_operations_are_for_operators_and_managers(
    client: Client, clock: MCPTool, name: str, group: str, may: bool
) -> None:
    member(group, client)
    before = MCPTool.objects.values("is_enabled", "restart_requested_at").get()
    by_button = client.post(f"{SERVERS}{clock.pk}/{name}/")
    assert by_button.status_code == (302 if may else 403)
    client.post(SERVERS, {"action": name, "_selected_action": [clock.pk]})
    page = client.get(SERVERS)
    assert (f"/{clock.pk}/{name}/" in page.content.decode()) is may
    if may:
        assert "Clock" in messages_of(page)
        assert "1 server" in messages_of(page)
    else:
        assert MCPTool.objects.values("is_enabled", "restart_requested_at").get() == before


def test_a_get_operates_nothing(admin_client: Client, clock: MCPTool) -> None:
    for name in ("start", "stop", "restart", "refresh", "duplicate"):
        assert admin_client.get(f"{SERVERS}{clock.pk}/{name}/").status_code == 405
    assert MCPTool.objects.get().restart_requested_at is None


def test_a_post_without_a_csrf_token_is_refused(admin_user: User, clock: MCPTool) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    assert strict.post(f"{SERVERS}{clock.pk}/stop/").status_code == 403
    assert MCPTool.objects.get().is_enabled


def test_an_operation_leads_back_to_where_its_button_was(admin_client: Client, clock: MCPTool) -> None:
    page = f"http://testserver{SERVERS}{clock.pk}/change/"
    back = admin_client.post(f"{SERVERS}{clock.pk}/restart/", headers={"referer": page})
    assert back.headers["Location"] == page
    away = admin_client.post(f"{SERVERS}{clock.pk}/restart/", headers={"referer": "https://evil.example/"})
    assert away.headers["Location"] == SERVERS


def test_a_duplicate_has_everything_but_the_name_and_does_not_run(client: Client) -> None:
    server = actions.register(
        by=BY, name="Far", connection_type="sse", url="https://mcp.example.org/sse", headers={"X-Key": "k"}
    )
    assert member("operator", client).post(f"{SERVERS}{server.pk}/duplicate/").status_code == 403
    member("manager", client)
    for name in ("Far (copy)", "Far (copy 2)"):
        made = client.post(f"{SERVERS}{server.pk}/duplicate/")
        copy = MCPTool.objects.get(name=name)
        assert made.headers["Location"] == f"{SERVERS}{copy.pk}/change/"
        assert (copy.url, copy.headers, copy.is_enabled) == (server.url, {"X-Key": "k"}, False)


def test_arguments_are_one_a_line(admin_client: Client) -> None:
    text = '-y\r\n\r\n@scope/server\r\n--greeting=hello world\r\n"two\\nlines"\r\n"loose'
    assert send(admin_client, SERVERS, args=text).status_code == 302
    server = MCPTool.objects.get()
    assert server.args == ["-y", "@scope/server", "--greeting=hello world", "two\nlines", '"loose']
    page = admin_client.get(f"{SERVERS}{server.pk}/change/")
    shown = page.context["adminform"].form["args"].value()
    assert shown.splitlines()[3:] == ['"two\\nlines"', '"\\"loose"']
    assert send(admin_client, SERVERS, server, args=shown, description="new").status_code == 302
    assert MCPTool.objects.get().args == server.args


@pytest.mark.parametrize(
    ("names", "values", "told"),
    [(["A", "A"], ["1", "2"], "A stands there twice"), ([""], ["1"], "A value has no name")],
)
@pytest.mark.parametrize("field", ["env", "headers"])
def test_rows_without_sense_are_told(
    admin_client: Client, field: str, names: list[str], values: list[str], told: str
) -> None:
    rows: dict[str, Any] = {f"{field}-name": names, f"{field}-value": values}
    assert told in errors_of(send(admin_client, SERVERS, **rows))[field][0]


def test_rows_show_masks_and_what_was_typed(admin_client: Client) -> None:
    server = actions.register(
        by=BY, name="T", connection_type="stdio", command="python", env={"KEY": "s3cret"}
    )
    page = admin_client.get(f"{SERVERS}{server.pk}/change/").content.decode()
    assert 'value="KEY"' in page
    assert 'value="********"' in page
    assert "s3cret" not in page
    both = {"env-name": ["KEY", "MODE", ""], "env-value": ["********", "fast", ""], "env": ""}
    again = send(admin_client, SERVERS, server, **both, command="/bin/sh").content.decode()
    assert 'value="MODE"' in again
    assert send(admin_client, SERVERS, server, **both).status_code == 302
    assert MCPTool.objects.get().env == {"KEY": "s3cret", "MODE": "fast"}


def test_the_fields_follow_the_transport(admin_client: Client) -> None:
    page = admin_client.get(f"{SERVERS}add/").content.decode()
    assert page.count("connection_type == &#x27;stdio&#x27;") == 3
    assert page.count("connection_type != &#x27;stdio&#x27;") == 2


@pytest.mark.parametrize(("group", "status"), [("viewer", 403), ("operator", 403), ("manager", 302)])
def test_a_server_that_has_run_is_deleted_by_managers_alone(client: Client, group: str, status: int) -> None:
    server = broken()
    address = f"{SERVERS}{server.pk}/delete/"
    member(group, client)
    assert client.get(address).status_code == (200 if status == 302 else 403)
    assert client.post(address, {"post": "yes"}).status_code == status
    assert MCPTool.objects.present().exists() is (status == 403)
