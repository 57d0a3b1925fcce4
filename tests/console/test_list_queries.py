"""No list of the console needs more queries for more rows, on rows as `bench` makes them."""

import pytest
from django.contrib import admin
from django.test import Client

from bench.installation import Size, fill
from tests.queries import assert_same_queries

pytestmark = pytest.mark.django_db
SMALL = {
    "servers": 3,
    "tools_a_server": 2,
    "keys": 3,
    "assistants": 2,
    "runs": 5,
    "calls_a_run": 2,
    "days": 9,
}
PAGES = sorted(
    f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    for model in admin.site._registry
    if model._meta.app_label in {"apikeys", "assistants", "connector", "tools"}
)


@pytest.mark.parametrize("address", [*PAGES, "/admin/", "/admin/needs-you/", "/admin/usage/"])
def test_a_list_has_the_same_queries_for_any_number_of_rows(admin_client: Client, address: str) -> None:
    def request() -> None:
        assert admin_client.get(address).status_code == 200

    fill(Size(**SMALL))
    assert_same_queries(request, after=lambda: fill(Size(**{**SMALL, "runs": 20}, first=10)))


def test_there_are_pages() -> None:
    assert len(PAGES) >= 8
