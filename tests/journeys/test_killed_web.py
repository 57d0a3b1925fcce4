"""A web process that is killed loses no run whose end its caller has received."""

import time
from collections.abc import Iterator

import httpx
import pytest

from apikeys.actions import IssuedKey
from assistants.models import Run, RunStatus
from assistants.recording import outbox
from config.runner.network import free_port
from config.runner.processes import Running
from tests.stack import Stack, readiness, wait_for
from tools.models import MCPTool


@pytest.fixture(scope="module")
def caller(stack: Stack) -> IssuedKey:
    return stack.key("killed-caller")


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Killed")


@pytest.fixture
def doomed(stack: Stack) -> Iterator[tuple[Running, str]]:
    port = free_port()
    running = stack.start_process("doomed-web-of-runs", stack.web_command(port))
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=60)
    yield running, url
    running.stop(timeout_s=5)


@pytest.mark.parametrize("stream", [False, True])
def test_its_last_run_is_recorded_once(
    stack: Stack, caller: IssuedKey, fake: MCPTool, doomed: tuple[Running, str], *, stream: bool
) -> None:
    slug, (running, url) = f"killed-{stream}".lower(), doomed
    stack.assistant(slug, fake, keys=(caller,), store_bodies=True)
    call = {"name": "killed__echo", "arguments": {"say": "hi"}}
    stack.llm.script(slug, {"tool_calls": [call]}, {"text": "Said."})
    body = {"model": slug, "messages": [{"role": "user", "content": "go"}], "stream": stream}
    headers = {"authorization": f"Bearer {caller.key}"}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=20)
    running.popen.kill()
    running.popen.wait()
    assert "Said." in answer.text
    with stack.database():
        assert not Run.objects.filter(assistant_slug=slug, status=RunStatus.COMPLETED).exists()
        assert outbox.recover(older_than_s=0) >= 1
        run = Run.objects.get(assistant_slug=slug)
        assert (run.status, run.answer, run.rounds) == (RunStatus.COMPLETED, "Said.", 2)
        [call] = run.tool_calls.all()
        assert (call.function, call.arguments) == ("echo", {"say": "hi"})
        assert outbox.recover(older_than_s=0) == 0


def test_a_living_process_leaves_nothing_in_the_outbox(stack: Stack, caller: IssuedKey) -> None:
    stack.assistant("lives", keys=(caller,))
    stack.llm.script("lives", {"text": "Hello."})
    body = {"model": "lives", "messages": [{"role": "user", "content": "go"}]}
    headers = {"authorization": f"Bearer {caller.key}"}
    httpx.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=20)
    time.sleep(1)
    with stack.database():
        assert outbox.recover(older_than_s=0) == 0
        assert Run.objects.get(assistant_slug="lives").status == RunStatus.COMPLETED
