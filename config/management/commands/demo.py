import secrets
import shutil
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction

import apikeys.actions
import assistants.actions
import tools.actions
from apikeys.models import ApiKey
from assistants.models import Assistant
from config.runner import env_file
from core.actor import Actor
from tools.models import ConnectionType, MCPTool

EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31"
BY = Actor.system("demo")
PROMPT = "You are the demo of MCP Connector. Answer briefly, and use your tools wherever they help."


class Command(BaseCommand):
    help = (
        "Fill an empty database with something to try: an admin, MCP servers, an assistant and a key. "
        "Prints them and stores them in DATA_DIR/demo.env. Does nothing to a database that is in use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--base-url", default="http://127.0.0.1:8000", help="where callers find the web")

    @transaction.atomic
    def handle(self, *args: Any, base_url: str, **options: Any) -> str:
        if _is_in_use():
            return ""
        password = secrets.token_urlsafe(15)
        User.objects.create_superuser("admin", password=password)
        values = {
            "BASE_URL": base_url,
            "DEMO_API_KEY": _create_assistant(),
            "ADMIN_USERNAME": "admin",
            "ADMIN_PASSWORD": password,
        }
        env_file.write(settings.DATA_DIR / "demo.env", values)
        return "\n".join(f"{name}={value}" for name, value in values.items())


def _is_in_use() -> bool:
    return any(rows.exists() for rows in (User.objects, ApiKey.objects, MCPTool.objects, Assistant.objects))


def _create_assistant() -> str:
    """Creates the assistant, its servers and a key. Returns the key."""
    issued = apikeys.actions.issue(by=BY, name="Demo")
    assistants.actions.create(
        by=BY,
        name="Demo",
        slug="demo",
        system_prompt=PROMPT,
        tools=_register_servers(),
        api_keys=[issued.api_key],
    )
    return issued.key


def _register_servers() -> list[MCPTool]:
    time = tools.actions.register(
        by=BY,
        name="Time",
        slug="time",
        description="The time anywhere, and from one time zone into another.",
        connection_type=ConnectionType.STDIO,
        command="mcp-server-time",
    )
    return [time, *([_register_everything()] if shutil.which("npx") else [])]


def _register_everything() -> MCPTool:
    return tools.actions.register(
        by=BY,
        name="Everything",
        slug="everything",
        description="The reference server of the MCP project: one tool for each thing a server can do.",
        connection_type=ConnectionType.STDIO,
        command="npx",
        args=["-y", EVERYTHING],
        start_timeout_s=180,  # the first start downloads it
    )
