"""A restore drill: what was backed up while everything ran answers chats in another installation."""

import os
from pathlib import Path

import httpx
from django.core.management import call_command

from config.runner.network import free_port
from tests.database import connected_to, create
from tests.stack import Stack, readiness, wait_for

DRILL = "drill"


def test_a_restored_installation_answers_a_chat(stack: Stack, tmp_path: Path) -> None:
    stack.llm.script(DRILL, {"text": "Everything is here."})
    key = stack.key("drill")
    stack.assistant(DRILL, keys=(key,))
    backup, port = tmp_path / "backup.zip", free_port()
    with stack.database():
        call_command("backup", str(backup))
    with stack._unblock():
        create(DRILL, template="template0")
        with connected_to(DRILL):
            call_command("restore", str(backup))
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    url = f"{base.rpartition('/')[0]}/{DRILL}?{query}"
    web = stack.start_process("drill", stack.web_command(port), DATABASE_URL=url)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: readiness(address), within_s=60)
        answer = httpx.post(
            f"{address}/v1/chat/completions",
            headers={"authorization": f"Bearer {key.key}"},
            json={"model": DRILL, "messages": [{"role": "user", "content": "Is everything here?"}]},
            timeout=20,
        ).json()
        assert answer["choices"][0]["message"]["content"] == "Everything is here."
    finally:
        web.stop(timeout_s=15)
