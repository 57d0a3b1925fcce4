"""The receiver in docs/webhooks.md runs as it stands there."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apikeys.models import EventType
from assistants.actions import add_webhook
from assistants.models import Delivery
from assistants.webhooks import send_due
from tests import ports
from tests.assistants.webhooks.conftest import BY, announced

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    port = ports.listed_port()
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    webhook = add_webhook(name="docs", url=f"http://127.0.0.1:{port}/mcp", events=[*EventType.values], by=BY)
    environment = {**os.environ, "WEBHOOK_SECRET": webhook.secret, "PORT": str(port)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        wait_for(port)
        yield running
        running.kill()


def wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError


def test_the_receiver_of_the_documentation_verifies_what_is_sent(program: Any) -> None:
    announced()
    send_due(for_s=5)
    assert program.stdout.readline().startswith("approval.waiting {'id': 7")
    assert (Delivery.objects.get().state, Delivery.objects.get().status_code) == ("delivered", 204)


def test_it_refuses_what_another_secret_has_signed(program: Any) -> None:
    delivery = announced()
    delivery.webhook.secret = "whsec_" + "A" * 43 + "="
    delivery.webhook.save()
    send_due(for_s=5)
    assert Delivery.objects.get().status_code == 401


def test_every_event_is_described() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == EventType.values
