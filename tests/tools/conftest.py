from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions
from core.actor import Actor

BY = Actor.system("tests")


@pytest.fixture
def api(db: None) -> APIClient:
    """The management API, with a key that may manage."""
    issued = actions.issue(by=BY, name="manager", can_manage=True)
    return APIClient(headers={"Authorization": f"Bearer {issued.key}"})


@pytest.fixture
def caller(db: None) -> APIClient:
    """The same with a key that may only call assistants."""
    issued = actions.issue(by=BY, name="caller")
    return APIClient(headers={"Authorization": f"Bearer {issued.key}"})


def fields_of(response: Any) -> dict[str, list[str]]:
    """The messages by field of a refusal."""
    assert response.status_code == 422, response.content
    return response.json()["error"]["details"]["fields"]
