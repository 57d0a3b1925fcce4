"""The number of queries of a request does not grow with the rows that it answers with."""

import pytest
from rest_framework.test import APIClient

from apikeys import actions
from assistants import actions as assistant_actions
from core.actor import Actor
from tests.queries import assert_same_queries

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["api-keys", "api-keys/{id}", "audit"])
def test_keys_and_the_audit_log(path: str) -> None:
    issued = actions.issue(by=BY, name="manager", can_manage=True)
    api = APIClient(headers={"Authorization": f"Bearer {issued.key}"})
    assistant_actions.create(by=BY, name="first", api_keys=[issued.api_key])

    def read() -> None:
        assert api.get(f"/api/v1/{path.format(id=issued.api_key.pk)}").status_code == 200

    def add() -> None:
        for number in range(4):
            other = actions.issue(by=BY, name=f"key {number}").api_key
            assistant_actions.create(by=BY, name=f"more {number}", api_keys=[issued.api_key, other])

    assert_same_queries(read, after=add)
