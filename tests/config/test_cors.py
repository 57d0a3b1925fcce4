import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
URL = "/api/v1/api-keys"


def preflight(client: Client, origin: str) -> dict[str, str]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, if-match",
    }
    return dict(client.options(URL, headers=headers).headers)


def test_a_listed_origin_may_call_with_credentials(client: Client) -> None:
    headers = preflight(client, "http://localhost:3000")
    assert headers["access-control-allow-origin"] == "http://localhost:3000"
    assert headers["access-control-allow-credentials"] == "true"
    assert "if-match" in headers["access-control-allow-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3001"])
def test_another_origin_may_not(client: Client, origin: str) -> None:
    assert "access-control-allow-origin" not in preflight(client, origin)


def test_browsers_may_read_the_headers_of_both_apis(client: Client) -> None:
    response = client.get(URL, headers={"Origin": "http://localhost:3000"})
    assert {"etag", "x-total-count"} <= set(response.headers["access-control-expose-headers"].split(", "))
    assert response.headers["access-control-allow-origin"] != "*"
