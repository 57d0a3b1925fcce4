import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from rest_framework.test import APIClient

from apikeys import actions, networks
from apikeys.authentication import authenticate
from apikeys.errors import NetworkNotAllowed
from core.actor import Actor

BY = Actor.system("tests")
OFFICE = ["10.0.0.0/8", "2001:db8::/32"]


@pytest.mark.parametrize("address", ["10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3"])
def test_an_address_in_a_network_is_allowed(address: str) -> None:
    assert networks.allow(networks.parse(OFFICE), address)


@pytest.mark.parametrize(
    "address", ["11.1.2.3", "2001:db9::1", "::ffff:11.1.2.3", "", "unix", "10.0.0.1, 11.0.0.1", "10.0.0.1\n"]
)
def test_an_address_in_no_network_is_refused(address: str) -> None:
    assert not networks.allow(networks.parse(OFFICE), address)


@pytest.mark.parametrize("address", ["11.1.2.3", ""])
def test_without_networks_every_address_is_allowed(address: str) -> None:
    assert networks.allow((), address)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", [[1], ["10.0.0.1/8"], ["all"], "10.0.0.0/8", [None], [["10.0.0.0/8"]], ["10.0.0.0/8"] * 101]
)
def test_anything_but_a_list_of_networks_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.issue(by=BY, name="alice", allowed_networks=value)
    assert set(refusal.value.message_dict) == {"allowed_networks"}


@pytest.mark.django_db
def test_the_management_api_is_closed_to_other_networks() -> None:
    issued = actions.issue(by=BY, name="alice", can_manage=True, allowed_networks=OFFICE)
    client = APIClient(headers={"Authorization": f"Bearer {issued.key}"})
    outside = client.get("/api/v1/api-keys", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="10.0.0.1")
    assert (outside.status_code, outside.json()["error"]["type"]) == (403, "network_not_allowed")
    assert client.get("/api/v1/api-keys", REMOTE_ADDR="10.0.0.1").status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_an_endpoint_that_knows_no_address_refuses() -> None:
    issued = await sync_to_async(actions.issue)(by=BY, name="alice", allowed_networks=OFFICE)
    with pytest.raises(NetworkNotAllowed):
        await authenticate(f"Bearer {issued.key}")
    assert (await authenticate(f"Bearer {issued.key}", "10.0.0.1")).name == "alice"
