"""Calls over REST that rules forbid or want somebody to agree to."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from assistants.models import Approval, ApprovalState, Run
from tests.assistants.mcp_endpoint import till as tills
from tests.assistants.mcp_endpoint.till import Till
from tests.assistants.tool_api.test_tool_api import error_of
from tests.stack import Stack, wait_for


@pytest.fixture(scope="module")
def till(stack: Stack) -> Iterator[Till]:
    made = tills.opened(stack, "rest-till")
    yield made
    tills.closed(made)


def pay(till: Till, to: str, *, url: str = "", **headers: str) -> requests.Response:
    address = f"{url or till.url}/api/v1/assistants/{till.slug}/tools/{till.tool}"
    bearer = {"authorization": f"Bearer {till.key.key}"}
    return requests.post(address, json={"to": to}, headers=bearer | headers, timeout=30)


def paying(till: Till, to: str, **options: Any) -> tuple[threading.Thread, list[requests.Response]]:
    """Pays in a thread, which waits for the decision."""
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(pay(till, to, **options)))
    thread.start()
    return thread, answers


def test_a_held_call_is_answered_like_a_direct_one(till: Till) -> None:
    thread, answers = paying(till, "staff-held")
    till.decide("staff-held")
    thread.join()
    [answer] = answers
    direct = pay(till, "ann")
    assert (answer.status_code, answer.json()) == (200, {"a": [1]})
    assert answer.json() == direct.json()
    assert "x-approval-edited" not in answer.headers
    assert till.payments("staff-held") == 1


def test_what_waits_longer_is_409_with_its_number_and_place_and_an_equal_call_gets_the_result(
    till: Till,
) -> None:
    told = pay(till, "staff-later", url=till.impatient)
    assert error_of(told) == (409, "approval_pending")
    details = told.json()["error"]["details"]
    with till.stack.database():
        number = Approval.objects.latest("pk").number
    assert details["number"] == number
    assert details["url"] == f"{till.impatient}/admin/assistants/approval/{number}/"
    assert pay(till, "staff-later", url=till.impatient).json()["error"]["details"]["number"] == number
    till.decide("staff-later")
    till.wait_for_state("staff-later", ApprovalState.DONE)
    assert pay(till, "staff-later").json() == {"a": [1]}
    assert till.payments("staff-later") == 1


def test_a_call_that_a_rule_forbids_is_403_and_says_why(till: Till) -> None:
    answer = pay(till, "nobody-at-all")
    assert error_of(answer) == (403, "denied_by_rule")
    assert "Nobody pays nobody." in answer.json()["error"]["message"]


def test_a_rejected_call_is_403_with_the_reason(till: Till) -> None:
    thread, answers = paying(till, "staff-rejected")
    till.decide("staff-rejected", approves=False, reason="Not this one.")
    thread.join()
    assert error_of(answers[0]) == (403, "not_approved")
    assert "Not this one." in answers[0].json()["error"]["message"]
    assert till.payments("staff-rejected") == 0


def test_nobody_can_be_asked_over_rest_so_staff_decide(till: Till) -> None:
    told = pay(till, "caller-rest")
    assert error_of(told) == (409, "approval_pending")
    assert "staff decide instead" in told.json()["error"]["message"]
    till.decide("caller-rest")
    till.wait_for_state("caller-rest", ApprovalState.DONE)
    assert pay(till, "caller-rest").json() == {"a": [1]}


def test_changed_arguments_are_told_by_a_header(till: Till) -> None:
    thread, answers = paying(till, "staff-edited")
    till.decide("staff-edited", arguments={"to": "eve"})
    thread.join()
    assert answers[0].json() == {"a": [1]}
    assert answers[0].headers["x-approval-edited"] == "true"
    assert (till.payments("staff-edited"), till.payments("eve")) == (0, 1)


def test_calls_for_two_end_users_wait_apart(till: Till) -> None:
    for name in ("Zoë", "Yan"):
        headers = {"x-end-user": name.encode().decode("latin-1")}
        assert pay(till, "staff-for", url=till.impatient, **headers).status_code == 409
    with till.stack.database():
        rows = [each for each in Approval.objects.waiting() if each.arguments.get("to") == "staff-for"]
        assert sorted(row.end_user for row in rows) == ["Yan", "Zoë"]
        runs = Run.objects.filter(run_id__in=[row.run_id for row in rows])
        wait_for(lambda: sorted(runs.values_list("end_user", flat=True)) == ["Yan", "Zoë"], within_s=10)
    assert error_of(pay(till, "ann", **{"x-end-user": "x" * 513})) == (400, "invalid_value")
