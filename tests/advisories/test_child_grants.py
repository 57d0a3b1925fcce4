"""A child grant exceeds the parent's: whatever a key makes may do no more than who made it."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions
from assistants.models import Assistant
from tests.stack import BY

pytestmark = pytest.mark.django_db
RIGHTS = ("can_call_assistant", "can_manage", "can_approve")


def rights() -> Iterator[dict[str, bool]]:
    """Yields every combination of rights; a key without any is refused."""
    for values in [*product((False, True), repeat=len(RIGHTS))][1:]:
        yield dict(zip(RIGHTS, values, strict=True))


def issuer(**granted: bool) -> tuple[APIClient, ApiKey]:
    issued = key_actions.issue(by=BY, name="issuer", **granted)
    return APIClient(headers={"Authorization": f"Bearer {issued.key}"}), issued.api_key


@pytest.mark.parametrize("own", list(rights()), ids=str)
def test_child_grant_exceeds_the_parents(own: dict[str, bool]) -> None:
    """LiteLLM 47101 and 136537, MSRC-109492: for each issuer and each wish, made anew, changed or rotated.

    Who may manage gives all rights but one: no program makes, changes or takes over a key that may approve.
    """
    api, _ = issuer(**own)
    approver = key_actions.issue(by=BY, name="approver", can_approve=True).api_key
    other = key_actions.issue(by=BY, name="other").api_key
    known = set(ApiKey.objects.values_list("pk", flat=True))
    for number, every in enumerate(rights()):
        wish = {name: value for name, value in every.items() if value or name != "can_approve"}
        is_allowed = own["can_manage"] and not wish.get("can_approve")
        made = api.post("/api/v1/api-keys", {"name": f"child {number}", "permissions": wish}, format="json")
        assert (made.status_code == 201) == is_allowed, made.content
        changed = api.patch(f"/api/v1/api-keys/{other.pk}", {"permissions": wish}, format="json")
        assert (changed.status_code == 200) == is_allowed
    assert api.post(f"/api/v1/api-keys/{approver.pk}/rotate", {}, format="json").status_code == 403
    for key in ApiKey.objects.exclude(pk__in=known):
        assert own["can_manage"]
        assert not key.can_approve
    other.refresh_from_db()
    approver.refresh_from_db()
    assert (other.can_approve, approver.can_approve) == (False, True)


@pytest.mark.parametrize("taken", ["helper", "nick", "HELPER", "Nick", "helper ", "auto"])
def test_an_alias_never_widens(taken: str) -> None:
    """LiteLLM 136538: a key's alias of a model was that of a model which the key could not call."""
    mine = key_actions.issue(by=BY, name="mine", can_manage=True)
    actions.create(by=BY, name="Helper", slug="helper", aliases=["nick"])
    api = APIClient(headers={"Authorization": f"Bearer {mine.key}"})
    wish: dict[str, Any] = {
        "name": "Other",
        "slug": "other",
        "aliases": [taken],
        "api_key_ids": [mine.api_key.pk],
    }
    status = api.post("/api/v1/assistants", wish, format="json").status_code
    reached = Assistant.objects.filter(api_keys=mine.api_key)
    if taken in {"helper", "nick", "auto"}:
        assert status in {409, 422}
    # Another spelling may be another name, and is then the name of the new one alone.
    assert not reached.filter(slug="helper").exists()
    assert [each.slug for each in reached] in ([], ["other"])
