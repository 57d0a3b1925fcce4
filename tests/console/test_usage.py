"""Usage: the same sums as the API's, as a page and as a file."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import AsyncClient, Client
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from core.admin.csv_download import cell
from tests.console.observed import add_run, member_of
from tests.console.pages import BY
from tests.queries import assert_same_queries

pytestmark = pytest.mark.django_db
PAGE = "/admin/usage/"


def lines(response: Any) -> list[list[str]]:
    assert response.headers["Content-Type"].startswith("text/csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_usage_is_that_of_the_api(admin_client: Client, api: APIClient) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    add_run(1, api_key_id=key.pk)
    add_run(2, api_key_id=key.pk, status="failed", model="large")
    context: Any = admin_client.get(f"{PAGE}?by=api_key&by=model").context
    rows = {tuple(names): numbers for names, numbers in context["rows"]}
    assert rows[("alice", "large")] == ["1", "1 (100 %)", "1,000", "200", "1,200", "1"]
    assert context["totals"] == ["2", "1 (50 %)", "2,000", "400", "2,400", "2"]
    told = api.get("/api/v1/usage?group_by=api_key,model").json()
    assert {(each["api_key"]["name"], each["model"]): each["total_tokens"] for each in told} == {
        ("alice", "large"): 1_200,
        ("alice", "tiny"): 1_200,
    }


def test_calls_without_a_model_are_summed_by_kind(admin_client: Client, api: APIClient) -> None:
    add_run(1)
    add_run(2, kind="rest", model="", assistant_slug="", prompt_tokens=0, completion_tokens=0)
    context: Any = admin_client.get(f"{PAGE}?by=assistant&by=model&by=kind").context
    rows = {tuple(names): numbers for names, numbers in context["rows"]}
    assert rows[("-", "-", "REST")] == ["1", "0 (0 %)", "0", "0", "0", "1"]
    assert rows[("helper", "tiny", "Chat")][0] == "1"
    told = api.get("/api/v1/usage?group_by=kind").json()
    assert {each["kind"]: each["runs"] for each in told} == {"chat": 1, "rest": 1}
    [only] = api.get("/api/v1/usage?group_by=model&kind=rest").json()
    assert (only["model"], only["server_tool_calls"]) == ("", 1)


def test_days_are_chosen(admin_client: Client) -> None:
    add_run(1)
    add_run(2, ago=timedelta(days=10))
    for query, runs in (
        ("", "2"),
        ("?days=7", "1"),
        ("?days=90", "2"),
        ("?days=x", "2"),
        ("?by=nonsense", "2"),
    ):
        assert admin_client.get(f"{PAGE}{query}").context["totals"][0] == runs


def test_an_empty_installation_says_so(admin_client: Client) -> None:
    assert "Nobody asked anything" in admin_client.get(PAGE).content.decode()


def test_the_file_has_a_line_for_each_row(admin_client: Client) -> None:
    add_run(1)
    header, row = lines(admin_client.get(f"{PAGE}csv/?by=assistant&by=day"))
    assert header[:4] == ["assistant", "day", "runs", "failed_runs"]
    assert row[0] == "helper"
    assert row[2:] == ["1", "0", "1000", "200", "1200", "1"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_name_is_a_formula(admin_client: Client, name: str) -> None:
    assert cell(name) == f"'{name}"
    add_run(1, api_key_name=name)
    assert lines(admin_client.get(f"{PAGE}csv/?by=api_key"))[1][0].startswith("'")
    assert cell(-1) == -1


@pytest.mark.django_db(transaction=True)
async def test_the_file_is_streamed_by_an_asgi_server(admin_user: Any) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(add_run)(1)
    client = AsyncClient()
    await client.aforce_login(admin_user)
    response: Any = await client.get(f"{PAGE}csv/?by=model")
    text = b"".join([part async for part in response.streaming_content]).decode("utf-8-sig")
    assert text.splitlines()[1].startswith("tiny,1,")


def test_who_may_not_see_runs_sees_no_usage() -> None:
    client = member_of()
    assert client.get(PAGE).status_code == client.get(f"{PAGE}csv/").status_code == 403
    assert member_of("viewer", name="bob").get(PAGE).status_code == 200


def test_names_are_text(admin_client: Client) -> None:
    markup = "<img src=x onerror=alert(1)>"
    add_run(1, api_key_name=markup, model=markup)
    assert markup not in admin_client.get(f"{PAGE}?by=api_key&by=model").content.decode()


def test_its_queries_do_not_grow_with_rows(admin_client: Client) -> None:
    def more() -> None:
        for number in range(2, 80):
            add_run(number, api_key_name=f"key {number}", model=f"model-{number}")

    add_run(1)
    assert_same_queries(lambda: admin_client.get(f"{PAGE}?by=api_key&by=model"), after=more)
