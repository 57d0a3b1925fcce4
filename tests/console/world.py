"""One row of all that the console has pages for, made of what somebody else wrote if a test says so."""

import json
import re
from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import OutboxEvent
from assistants import actions
from assistants.models import Approval, Delivery, Rule, Run, ToolCall, Webhook
from connector.models import Instance, StateChange, Worker
from tests.console.pages import BY
from tools import actions as tool_actions
from tools.models import MCPTool, ToolFunction


def fill(text: str = "plain text", long: str = "") -> dict[type[models.Model], models.Model]:
    """Makes a row of each model with a page. `text` is in each text of somebody else, `long` in long ones."""
    long = long or text
    now = timezone.now()
    error = {"class": text, "code": 1, "message": long, "remedy": text, "stderr": long}
    server = tool_actions.register(
        by=BY,
        name=_name(text, "Clock"),
        connection_type="stdio",
        command="python",
        description=_clean(long[:4000]),
    )
    MCPTool.objects.filter(pk=server.pk).update(status="error", error=_json(error))
    function = ToolFunction.objects.create(
        server=server,
        name=_clean(text)[:255],
        public_name="clock__now",
        title=_clean(text)[:255],
        description=_clean(long),
        input_schema=_json(schema(text, long)),
        output_schema=_json(schema(text, long)),
        annotations=_json({"title": text, "readOnlyHint": False}),
        replaced=_json({"description": long, "input_schema": schema("old", "old"), "title": text}),
        replaced_at=now,
        definition_hash="new",
        approved_hash="old",
    )
    provider = actions.add_provider(by=BY, name=_name(text, "LLM"), default_model="m")
    assistant = actions.create(
        by=BY,
        name=_name(text, "Helper"),
        slug="helper",
        description=_clean(long[:4000]),
        system_prompt=_clean(long[:4000]),
        store_bodies=True,
        tools=[actions.ToolUse(server, None, [])],
    )
    key = key_actions.issue(by=BY, name=_name(text, "Key"), assistant_ids=[assistant.pk]).api_key
    run = Run.objects.create(
        run_id="run_of_the_world",
        request_id=_clean(text)[:64],
        api_key=key,
        api_key_name=_name(text, "Key"),
        assistant=assistant,
        assistant_slug="helper",
        model=_clean(text)[:255],
        status="failed",
        error=_clean(text)[:64],
        request=_clean(long),
        answer=_clean(long),
        started_at=now - timedelta(minutes=5),
        duration_ms=1200,
    )
    call = ToolCall.objects.create(
        run=run,
        position=1,
        mcp_tool=server,
        server=_clean(text)[:255],
        function=_clean(text)[:255],
        status="error",
        error=_clean(text)[:64],
        arguments=_json({"text": long}),
        result=_clean(long),
        duration_ms=300,
    )
    rule = actions.add_rule(
        by=BY,
        name=_name(text, "Rule"),
        effect="ask",
        conditions={
            "servers": [server.pk],
            "end_users": [_clean(text)[:512]],
            "expression": "end_user == 'x'",
        },
    )
    # As a version stored it that did not look at it.
    Rule.objects.filter(pk=rule.pk).update(reason=_clean(text)[:1000])
    webhook = Webhook.objects.create(
        name=_name(text, "Hook"), url="https://hooks.example.org", events=["server.up"]
    )
    event = OutboxEvent.objects.create(type="server.up", data=_json({"name": text, "error": long}))
    delivery = Delivery.objects.create(webhook=webhook, event=event, state="failed", error=_clean(text)[:500])
    approval = Approval.objects.create(
        rule=rule,
        approver="staff",
        rule_name=_clean(text)[:255],
        owner=str(key.pk),
        api_key=key,
        api_key_name=_name(text, "Key"),
        key_prefix="ak-000001-...",
        end_user=_clean(text)[:512],
        assistant=assistant,
        assistant_slug="helper",
        run_id=run.run_id,
        mcp_tool=server,
        server=_clean(text)[:255],
        function=_clean(text)[:255],
        public_name="clock__now",
        arguments=_json({"text": long, "token": text}),
        definition_hash="new",
        generation=1,
        signature="s",
        expires_at=now + timedelta(hours=1),
    )
    worker = Worker.objects.create(name="w1", node="machine", host_id="h", socket="s", seen_at=now)
    instance = Instance.objects.create(
        server=server, worker=worker, phase="backoff", stderr_tail=_clean(long), error=_json(error), pid=7
    )
    StateChange.objects.create(server=server, status="error", error=_json(error), at=now)
    rows = (
        server,
        function,
        provider,
        assistant,
        key,
        run,
        call,
        rule,
        webhook,
        delivery,
        approval,
        worker,
        instance,
    )
    return {type(row): row for row in rows}


def _clean(text: str) -> str:
    return text.replace("\0", "")


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value).replace("\\u0000", ""))


def _name(text: str, name: str) -> str:
    """A name of ours holds what its rule allows."""
    text = re.sub("[\x00-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", "", text)
    return _clean(f"{name} {text}"[:200])


def schema(text: str, long: str) -> dict[str, Any]:
    return {
        "type": "object",
        "title": text,
        "description": long,
        "properties": {
            "zone": {
                "type": "string",
                "title": text,
                "description": long,
                "default": text,
                "examples": [text],
            },
            "kind": {"enum": [text, "b"], "description": text},
        },
    }
