"""The headers of paged lists: `Link` (RFC 8288) and `X-Total-Count`."""

import pytest
from rest_framework.test import APIClient

from apikeys import actions
from core.actor import Actor

BY = Actor.system("tests")
PAGE = "http://testserver/api/v1/api-keys"
pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> APIClient:
    """A client that sees five keys."""
    keys = [actions.issue(by=BY, name=f"key {number}", can_manage=True).key for number in range(5)]
    return APIClient(headers={"Authorization": f"Bearer {keys[0]}"})


@pytest.mark.parametrize(
    ("query", "count", "link"),
    [
        ("", 5, f'<{PAGE}?limit=50&offset=0>; rel="first"'),
        (
            "?limit=2",
            2,
            f'<{PAGE}?limit=2&offset=0>; rel="first", <{PAGE}?limit=2&offset=2>; rel="next"',
        ),
        (
            "?limit=2&offset=1&search=key",
            2,
            f'<{PAGE}?limit=2&offset=0&search=key>; rel="first",'
            f' <{PAGE}?limit=2&offset=0&search=key>; rel="prev",'
            f' <{PAGE}?limit=2&offset=3&search=key>; rel="next"',
        ),
        (
            "?offset=4&limit=2",
            1,
            f'<{PAGE}?limit=2&offset=0>; rel="first", <{PAGE}?limit=2&offset=2>; rel="prev"',
        ),
        (
            "?offset=5&limit=200",
            0,
            f'<{PAGE}?limit=200&offset=0>; rel="first", <{PAGE}?limit=200&offset=0>; rel="prev"',
        ),
        (
            "?offset=2147483648",
            0,
            f'<{PAGE}?limit=50&offset=0>; rel="first", <{PAGE}?limit=50&offset=2147483598>; rel="prev"',
        ),
    ],
)
def test_links_lead_to_the_other_pages(api: APIClient, query: str, count: int, link: str) -> None:
    response = api.get(PAGE + query)
    assert len(response.json()) == count
    assert response.headers["X-Total-Count"] == "5"
    assert response.headers["Link"] == link


def test_an_empty_list_has_one_page(api: APIClient) -> None:
    response = api.get(f"{PAGE}?search=nothing")
    assert (response.json(), response.headers["X-Total-Count"]) == ([], "0")
    assert response.headers["Link"] == f'<{PAGE}?limit=50&offset=0&search=nothing>; rel="first"'


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Give a whole number from 1 to 200."),
        ("limit=201", "Give a whole number from 1 to 200."),
        ("limit=-1", "Give a whole number from 1 to 200."),
        ("limit=x", "Give a whole number from 1 to 200."),
        ("limit=", "Give a whole number from 1 to 200."),
        ("limit=²", "Give a whole number from 1 to 200."),
        ("offset=-1", "Give a whole number from 0 to 2147483648."),
        ("offset=2147483649", "Give a whole number from 0 to 2147483648."),
        ("offset=" + "9" * 30, "Give a whole number from 0 to 2147483648."),
    ],
)
def test_pages_out_of_bounds_are_refused(api: APIClient, query: str, message: str) -> None:
    response = api.get(f"{PAGE}?{query}")
    assert response.status_code == 422
    assert response.json()["error"]["details"]["fields"] == {query.partition("=")[0]: [message]}
