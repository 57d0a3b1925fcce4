"""What a chat used is learned from and can be measured: over HTTP, with real processes."""

from io import StringIO

import httpx
from django.core.management import call_command

from assistants.models import Run
from tests.stack import Stack, wait_for
from tools.models import FunctionUse

REQUEST = "Please echo what I say."


def test_a_selecting_chat_leaves_its_lesson(stack: Stack) -> None:
    key, server = stack.key("learning"), stack.server("Learning")
    with stack.database():
        wait_for(lambda: not server.functions.filter(embedding=None).exists(), within_s=30)
    fields = {"selection": "retrieved", "store_bodies": True}
    assistant = stack.assistant("learning", server, keys=(key,), **fields)
    call = {"name": "learning__echo", "arguments": {"text": "Hello"}}
    stack.llm.script("learning", {"tool_calls": [call]}, {"text": "Hello."})
    answer = httpx.post(
        f"{stack.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {key.key}"},
        json={"model": "learning", "messages": [{"role": "user", "content": REQUEST}]},
        timeout=20,
    )
    assert [
        each["status"] for each in answer.json()["choices"][0]["message"]["mcp_connector"]["tool_calls"]
    ] == ["ok"]
    with stack.database():
        uses = FunctionUse.objects.filter(used_by=assistant.pk)
        wait_for(uses.exists, within_s=30)
        assert list(uses.values_list("function__name", "uses")) == [("echo", 1)]
        assert Run.objects.get(assistant=assistant).request == REQUEST
        output = StringIO()
        call_command("evaluate_selection", "--assistant", "learning", "--k", "10", stdout=output)
    assert "as it was: recall @10 1.000  (runs: 1, tools called: 1)" in output.getvalue()
    assert "searched now by" in output.getvalue()
