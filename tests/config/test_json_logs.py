"""Logs as JSON: what each line says, and that the work's names go where the work goes."""

import json
import logging
import os
import subprocess
import sys
from typing import Any

import orjson
import pytest

from apikeys import actions
from apikeys.authentication import authenticate
from config.json_logs import JSONFormatter
from config.log_settings import logging_at
from config.task_metrics import Counting
from connector.client import transport
from connector.client.routes import Route
from connector.data_plane.requests import Requests
from connector.wire.deadline import Deadline
from core import log_context
from core.actor import Actor
from core.database import in_thread


@pytest.fixture(autouse=True)
def of_nothing() -> None:
    log_context.take({})


def line(message: str, *arguments: object, **fields: Any) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"msg": message, "args": arguments, "name": "x", "levelname": "INFO", **fields}
    )
    text = JSONFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)  # type: ignore[no-any-return]


def test_a_line_is_one_object_with_what_is_known_of_the_work() -> None:
    log_context.take({"request_id": "req_1", "key": "ak-1", "run_id": "run_1"})
    found = line("%s\n%s", "a", "b")
    assert found["message"] == "a\nb"
    assert (found["request_id"], found["key"], found["run_id"]) == ("req_1", "ak-1", "run_1")
    assert "task" not in found


def test_an_error_has_its_traceback() -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        found = line("failed", exc_info=sys.exc_info())
    assert found["traceback"].endswith("ValueError: wrong")


def test_what_is_no_unicode_is_logged() -> None:
    assert line("%s", "\udcff")["message"] == "\udcff"


@pytest.mark.usefixtures("transactional_db")
async def test_authentication_names_the_key() -> None:
    issued = await in_thread(lambda: actions.issue(by=Actor.system("test"), name="k"))()
    await authenticate(f"Bearer {issued.key}")
    assert log_context.given() == {"key": issued.api_key.key_prefix}


async def test_a_request_to_a_worker_takes_the_names_along() -> None:
    log_context.take({"request_id": "req_1", "run_id": "run_1"})
    route = Route(1, 0, 1, "h", "s", "")
    request = transport.Request(1, {"method": "tools/call", "params": {}}, "t", 1.0)
    body = orjson.loads(orjson.dumps(transport._body(request, route, Deadline(1.0))))
    log_context.take({"request_id": "another"})
    found: list[dict[str, str]] = []

    def find(*_: object) -> Any:
        found.append(log_context.given())
        raise LookupError

    with pytest.raises(LookupError):
        await Requests(find, lambda: ()).send(body, None)  # type: ignore[arg-type]
    del body["about"]  # as of an older release
    with pytest.raises(LookupError):
        await Requests(find, lambda: ()).send(body, None)  # type: ignore[arg-type]
    assert found == [{"request_id": "req_1", "run_id": "run_1"}, {}]


def test_tasks_name_themselves() -> None:
    class Task:
        name = "a.task"

    counting = Counting()
    counting.begin("1", Task())
    assert log_context.given() == {"task": "a.task 1"}
    counting.end("1", Task(), "SUCCESS")
    assert log_context.given() == {}


def test_the_setting_is_checked() -> None:
    assert logging_at("INFO", form="json")["handlers"]["stderr"]["formatter"] == "json"
    command = [sys.executable, "manage.py", "check"]
    refused = subprocess.run(
        command, env={**os.environ, "LOG_FORMAT": "xml"}, capture_output=True, check=False
    )
    assert refused.returncode == 1
    assert b"LOG_FORMAT must be text or json." in refused.stderr
