import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tools.models import MCPTool

pytestmark = pytest.mark.django_db
FILE = """{
  "mcpServers": {
    "time": {"command": "uvx", "args": ["mcp-server-time==2026.1.1"]}, // the clock
    "notes": {"url": "https://93.184.216.34/mcp", "headers": {"Authorization": "${input:key}"}},
    "shell": {"command": "sh"},
  }
}"""


def test_it_prints_what_became_of_each_server(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(FILE)
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not imported: shell"):
        call_command("import_servers", str(file), "--preview", stdout=out)
    assert not MCPTool.objects.exists()
    with pytest.raises(CommandError, match="Not imported: shell"):
        call_command("import_servers", str(file), stdout=out)
    assert {server.slug for server in MCPTool.objects.all()} == {"time", "notes"}
    lines = out.getvalue().splitlines()
    assert lines[:3] == lines[3:]
    assert lines[0] == "time: created as time."
    assert "Stopped until these are given: headers Authorization." in lines[1]
    assert lines[2].startswith("shell: refused. command: The command 'sh' is not allowed.")


@pytest.mark.parametrize(("text", "message"), [("{", "line 1, column 2"), ("{}", "at least one server")])
def test_a_file_without_servers_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mcp.json").write_text(text)
    with pytest.raises(CommandError, match=message):
        call_command("import_servers", str(tmp_path / "mcp.json"))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_servers", str(tmp_path / "none.json"))
