"""The gate passes calls and results through what the assistant and the operator have them filtered by."""

from dataclasses import replace
from typing import Any

import pytest

from assistants import filtering
from assistants.approvals import Admitted, Gate, Refused
from assistants.filtering import About, FilterRefused
from assistants.models import Effect
from assistants.rules import Verdict
from connector.wire.results import CallResult
from tests.assistants.approvals.scene import Scene

SECRET = "ghp_q8Zr2LmT5vXw9BnK3cJd7FhG1sPyA4eUoI6x"
RESULT = CallResult([{"type": "text", "text": SECRET}], None)


class Judge:
    """Denies calls that pay Eve."""

    is_empty = False

    def judge(self, call: Any) -> Verdict:
        denies = call.arguments["to"] == "eve"
        return Verdict(Effect.DENY if denies else Effect.ALLOW, call.arguments, rule_name="Eve")


def gate(scene: Scene, **changes: Any) -> Gate:
    assert scene.asker.assistant is not None
    asker = replace(scene.asker, assistant=replace(scene.asker.assistant, **changes))
    return Gate(asker, Judge())  # type: ignore[arg-type]


@pytest.mark.parametrize(("masks", "text"), [(True, "[masked: github-pat]"), (False, SECRET)])
async def test_secrets_in_results_are_masked_where_the_assistant_says_so(
    scene: Scene, masks: bool, text: str
) -> None:
    function = scene.question().function
    released = await gate(scene, masks_secrets=masks).released(function, RESULT)
    assert released.content == [{"type": "text", "text": text}]


async def test_the_filter_changes_a_call_and_the_rules_have_the_last_word(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, asked = scene.question().function, []

    async def replaces(_: Any, arguments: Any, about: About) -> dict[str, Any]:
        asked.append((dict(arguments), about.assistant))
        return {"to": "eve" if arguments["to"] == "mallory" else "carol"}

    monkeypatch.setattr(filtering, "filter_call", replaces)
    assert await gate(scene).admit(function, {"to": "bob"}) == Admitted({"to": "carol"})
    refused = await gate(scene).admit(function, {"to": "mallory"})
    assert isinstance(refused, Refused)
    assert refused.code == "denied_by_rule"
    assert isinstance(await gate(scene).admit(function, {"to": "eve"}), Refused)
    assert asked == [({"to": "bob"}, "shop"), ({"to": "mallory"}, "shop")]  # what is denied is not told to it


async def test_what_the_filter_refuses_is_not_called(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: Any) -> dict[str, Any]:
        raise FilterRefused("Not on Sundays.")

    monkeypatch.setattr(filtering, "filter_call", refuses)
    refused = await gate(scene).admit(scene.question().function, {"to": "bob"})
    assert refused == Refused("Not called: Not on Sundays.", code="denied_by_filter")


async def test_arguments_of_the_filter_must_fit_the_tool(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replaces(*_: Any) -> dict[str, Any]:
        return {"to": ["carol"]}

    monkeypatch.setattr(filtering, "filter_call", replaces)
    function = replace(
        scene.question().function, input_schema={"type": "object", "properties": {"to": {"type": "string"}}}
    )
    passage = await gate(scene).admit(function, {"to": "bob"})
    assert isinstance(passage, Refused)
    assert passage.code == "denied_by_filter"
    assert "filter changed the arguments" in passage.reason
