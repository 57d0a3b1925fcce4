"""What a run's calls pass before they are made."""

from dataclasses import replace

import pytest

from assistants.agent import RunRequest
from assistants.agent.run_gate import RunGate
from assistants.approvals import Admitted
from assistants.catalogue.endpoints import Endpoint
from tests.assistants.agent.conftest import entry, open_gate
from tests.assistants.approvals.scene import Scene


@pytest.mark.django_db
async def test_without_a_gate_nothing_is_called(scene: Scene) -> None:
    function, assistant = scene.question().function, entry(Endpoint("http://llm", "", "m"))
    request = RunRequest(assistant, [])
    with pytest.raises(RuntimeError, match="need a gate"):
        await RunGate(request, list[object]().append).admit(function, {"to": "bob"})
    gate = RunGate(replace(request, gate=open_gate(assistant)), list[object]().append)
    assert await gate.admit(function, {"to": "bob"}) == Admitted({"to": "bob"})
