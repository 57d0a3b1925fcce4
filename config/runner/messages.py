"""The lines that `manage.py up` prints."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.runner.progress import Progress

QUESTION = "What time is it in Asia/Shanghai?"


progress = Progress()


def print_line(line: str) -> None:
    progress.line(line)


def step(line: str) -> None:
    """Shows what is done next until something is ready."""
    progress.step(line)


def starting(data_dir: Path, embedded: Sequence[str]) -> None:
    print_line(f"MCP Connector is starting. Data and logs: {data_dir}")
    if embedded:
        print_line(f"Embedded: {', '.join(embedded)}")


def running(base_url: str) -> None:
    print_line(f"\nOpenAI API   {base_url}/v1\nAdmin        {base_url}/admin/")
    print_line(f"Metrics      {base_url}/metrics")


def demo(values: Mapping[str, str], *, path: Path, is_new: bool) -> None:
    password = (
        f"{values['ADMIN_PASSWORD']} (shown once, kept in {path})" if is_new else f"(password in {path})"
    )
    print_line(f"Admin login  {values['ADMIN_USERNAME']}  {password}")
    print_line(f"Demo key     {values['DEMO_API_KEY']}")
    print_line(f"\n{curl(values)}\n")


def curl(values: Mapping[str, str]) -> str:
    body = {"model": "demo", "messages": [{"role": "user", "content": QUESTION}]}
    command = ["curl", f"{values['BASE_URL']}/v1/chat/completions"]
    headers = (f"Authorization: Bearer {values['DEMO_API_KEY']}", "Content-Type: application/json")
    return shlex.join(
        [*command, *(word for header in headers for word in ("-H", header)), "-d", json.dumps(body)]
    )


def late(waiting_for: str) -> None:
    print_line(f"Not everything is up yet: {waiting_for}. What is above works as soon as it is.")
