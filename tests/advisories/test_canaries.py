"""Metrics, debug, logs: a canary in each secret, then a look into all that the product says and keeps."""

import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command

from assistants import actions
from assistants.models import Provider
from connector import grants
from tests.advisories.loud_stack import DATABASE, LoudStack
from tests.advisories.routes import management
from tests.database import create
from tests.llm import ScriptedLLM
from tests.stack import BY, SERVERS
from tools import actions as tool_actions
from tools.models import MCPTool

PUBLIC = "93.184.216.34"
MODEL = "canaries"
OF_STAFF = ("env", "args", "header", "url", "grant", "provider", "hook", "tried", "refused", "password")
OF_CALLERS = ("said", "argument", "broken")
CANARY = {name: f"canary-{number:02}-7f3d{number:04x}" for number, name in enumerate(OF_STAFF + OF_CALLERS)}


@pytest.fixture(scope="module")
def stack(
    llm: ScriptedLLM, migrated: str, django_db_setup: None, django_db_blocker: Any
) -> Iterator[LoudStack]:
    create(DATABASE, template=migrated)
    with tempfile.TemporaryDirectory(prefix="mcp-connector-stack-") as folder:
        stack = LoudStack(llm, Path(folder), django_db_blocker.unblock)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


def configure(stack: LoudStack) -> dict[str, str]:
    """Makes one of all that holds a secret. Returns the secrets, by what they are."""
    key = stack.key("canaries", can_manage=True)
    args = [str(SERVERS / "fake.py"), f"--token={CANARY['args']}"]
    server = stack.server("Canaries", args=args, env={"SECRET_OF_IT": CANARY["env"]})
    with stack.database():
        provider = actions.add_provider(by=BY, name="LLM", default_model=MODEL, api_key=CANARY["provider"])
        # The stand-in is on this machine: no verb would take its address.
        Provider.objects.filter(pk=provider.pk).update(base_url=stack.llm.base_url)
        provider.refresh_from_db()
        remote = tool_actions.register(
            by=BY,
            name="Far",
            connection_type="streamable_http",
            url=f"https://{PUBLIC}/mcp?key={CANARY['url']}",
            headers={"X-Token": CANARY["header"]},
        )
        grants.connect(
            server=remote,
            by=BY,
            flow="client_credentials",
            client_id="us",
            client_secret=CANARY["grant"],
            issuer=f"https://{PUBLIC}",
        )
        address = f"https://{PUBLIC}/hook?token={CANARY['hook']}"
        hook = actions.add_webhook(by=BY, name="Hook", url=address, events=["approval.waiting"])
    assistant = stack.assistant(MODEL, server, keys=(key,), provider=provider)
    stack.rule("Ask", "ask", scope="assistant", assistant_id=assistant.pk, approver="caller")
    return {**CANARY, "key": key.key, "secret of the hook": hook.secret}


def use(stack: LoudStack, secrets: dict[str, str]) -> str:
    """Does with it what people and programs do. Returns what the management API said."""
    echo = {"name": "canaries__echo", "arguments": {"say": CANARY["argument"]}}
    stack.llm.script(MODEL, {"tool_calls": [echo]}, {"text": "Done.", "repeat": True})
    with httpx.Client(
        base_url=stack.url, headers={"authorization": f"Bearer {secrets['key']}"}, timeout=60
    ) as api:
        asked: list[dict[str, Any]] = [{"role": "user", "content": CANARY["said"]}]
        held = api.post("/v1/chat/completions", json={"model": MODEL, "messages": asked}).json()
        text = held["choices"][0]["message"]["content"]
        code = secrets["code"] = text[text.index("apc-") :][:16]
        asked += [{"role": "assistant", "content": text}, {"role": "user", "content": f"approve {code}"}]
        done = api.post("/v1/chat/completions", json={"model": MODEL, "messages": asked}).json()
        assert done["choices"][0]["message"]["content"] == "Done."
        api.post("/v1/responses", json={"model": MODEL, "input": CANARY["said"]})
        api.post(
            "/api/v1/mcp-tools/canaries/functions/echo/call", json={"arguments": {"say": CANARY["argument"]}}
        )
        initialize(api)
        misuse(api)
        with stack.database():
            rows = {MCPTool: MCPTool.objects.get(slug="canaries")}
            reads = [route.path for route in management(rows) if route.method == "get"]
        return "\n".join(api.get(path).text for path in reads if "deliveries" not in path)


def initialize(api: httpx.Client) -> None:
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    headers = {"accept": "application/json, text/event-stream"}
    assert api.post(f"/mcp/a/{MODEL}", json=body, headers=headers).status_code == 200


def misuse(api: httpx.Client) -> None:
    """Sends what is refused: what was wrong is said, and not what was sent."""
    wrong = {"model": MODEL, "messages": [{"role": "user", "content": {"text": CANARY["broken"]}}]}
    assert api.post("/v1/chat/completions", json=wrong).status_code == 400
    json_type = {"content-type": "application/json"}
    broken = f'{{"{CANARY["broken"]}'
    assert api.post("/v1/chat/completions", content=broken, headers=json_type).status_code == 400
    provider = {"name": "LLM", "default_model": "m", "api_key": CANARY["refused"]}
    assert api.post("/api/v1/providers", json=provider).status_code in {409, 422}
    tried = {
        "connection_type": "stdio",
        "command": "python",
        "args": ["-c", "raise"],
        "env": {"T": CANARY["tried"]},
    }
    api.post("/api/v1/mcp-tools/test", json={**tried, "start_timeout_s": 5})
    api.get("/admin/login/")
    form = {
        "username": "nobody",
        "password": CANARY["password"],
        "csrfmiddlewaretoken": api.cookies["csrftoken"],
    }
    api.post("/admin/login/", data=form)


def backup(stack: LoudStack, folder: Path) -> bytes:
    path = folder / "backup.zip"
    with stack.database():
        call_command("backup", str(path))
    with zipfile.ZipFile(path) as parts:
        return b"\n".join(parts.read(name) for name in parts.namelist())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_canaries_in_every_field_are_in_no_output(stack: LoudStack, tmp_path: Path) -> None:
    """Envoy AI Gateway #2508, #2435 and #2428, ContextForge #4427 and #5087, LiteLLM #43231 (a body).

    Logs of all processes at DEBUG, all that Redis is sent (tasks, messages, values), each table as it is
    stored, a backup, and what the management API says to who may manage.
    """
    with stack.overheard():
        secrets = configure(stack)
        answers = use(stack, secrets)
        time.sleep(4)  # beat, webhooks and the records of runs are a little later
    outputs = {**stack.outputs(), "backup": backup(stack, tmp_path), "answers": answers.encode()}
    assert b"DEBUG" in outputs["log of web"]
    assert len(stack.said) > 20
    found = [
        f"{name} in {place}"
        for place, output in outputs.items()
        for name, secret in secrets.items()
        if secret.encode() in output and not (place == "answers" and name in OF_CALLERS)
    ]
    assert found == []
