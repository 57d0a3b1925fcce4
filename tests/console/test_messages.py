"""What a worker found wrong with a server, in Chinese in the console and in English in the API."""

import re

import httpx
import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import translation
from django.utils.translation import override
from rest_framework.test import APIClient

from connector.lifecycle.diagnosis import Diagnosis, ExitInfo, ExitReason, diagnose
from connector.models import StateChange
from core.message import said
from tests.connector.lifecycle.test_startup_output import VARIABLES
from tests.console.people import member
from tests.console.staff import member_of_stack
from tests.stack import Stack
from tools.arguments import InvalidArguments, checked
from tools.importing import texts
from tools.models import MCPTool, Status

CHINESE = {"Accept-Language": "zh-CN"}
FOREIGN = "Error: GITHUB_TOKEN is required"
ENDS = [
    {"exec_errno": 2},
    {"exec_errno": 0},
    {"excess": ("memory", 900)},
    {"excess": ("processes", 900)},
    {"signal": 9},
    {"code": 3},
    {"code": 3, "stderr": "boom"},
    {},
    {"stray_stdout": "Usage"},
    {"stderr": "JavaScript heap out of memory", "code": 1},
    {"stderr": "npm error code E404", "code": 1},
    {"stderr": "No module named mcp_x", "code": 1},
    {"stderr": "connect ECONNREFUSED 127.0.0.1:5432", "code": 1},
    {"stderr": "HTTP 401 Unauthorized", "code": 1},
    {"stderr": "OSError: [Errno 28] No space left on device", "code": 1},
    *({"stderr": text, "code": 1} for text, _ in VARIABLES),
]


@pytest.mark.parametrize("info", ENDS, ids=str)
def test_every_diagnosis_is_said_in_chinese(info: dict[str, object]) -> None:
    found = diagnose(ExitInfo("server", "start", 1.0, **info))  # type: ignore[arg-type]
    with override("zh-hans"):
        assert re.search("[\u4e00-\u9fff]", said(found.message)), found.message


@pytest.fixture
def broken(clock: MCPTool) -> MCPTool:
    found = diagnose(ExitInfo("server", "start", 1.0, code=1, stderr=FOREIGN))
    error = found.as_error("2026-01-01T10:00:00Z")
    MCPTool.objects.filter(pk=clock.pk).update(status=Status.ERROR, error=error, is_enabled=True)
    StateChange.objects.create(server=clock, status=Status.ERROR, error=error, at=error["at"])
    return clock


def test_pages_say_why_a_server_broke_in_the_readers_language(broken: MCPTool, api: APIClient) -> None:
    browser = Client(headers=CHINESE)
    browser.force_login(member("manager"))
    paths = [
        f"/admin/tools/mcptool/{broken.pk}/change/",
        "/admin/tools/mcptool/",
        f"/admin/servers/{broken.pk}/uptime/",
        f"/admin/servers/{broken.pk}/instances/",
        "/admin/needs-you/",
    ]
    with override(None):
        for path in paths:
            page = browser.get(path).content.decode()
            assert "服务器需要变量 GITHUB_TOKEN。" in page, path
            assert "The server needs" not in page, path
        english = api.get(f"/api/v1/mcp-tools/{broken.pk}", headers=CHINESE).json()
    assert english["error"]["message"] == "The server needs the variable GITHUB_TOKEN."
    assert english["error"].keys() == {"stage", "class", "message", "remedy", "at"}


def test_what_the_program_wrote_stays_as_it_is() -> None:
    info = ExitInfo("server", "start", 1.0, code=1, stderr="HTTP 401 Unauthorized: go away")
    with override("zh-hans"):
        assert said(diagnose(info).message) == "服务器的凭据被拒绝\uff1aHTTP 401 Unauthorized: go away"


def test_a_form_is_refused_in_chinese_for_its_command(manager_in_chinese: httpx.Client) -> None:
    form = {"connection_type": "stdio", "command": "rm", "args": "", "start_timeout_s": "20"}
    refused = manager_in_chinese.post("/admin/servers/test/", data=form)
    assert "不允许使用命令 'rm'" in str(refused.json())


def test_a_connection_test_tells_in_chinese_what_its_worker_found(manager_in_chinese: httpx.Client) -> None:
    form = {"connection_type": "streamable_http", "url": "http://127.0.0.1:9/mcp", "start_timeout_s": "20"}
    answer = manager_in_chinese.post("/admin/servers/test/", data=form).json()
    assert "无法连接 http://127.0.0.1:9" in answer["message"], answer


@pytest.fixture(scope="module")
def manager_in_chinese(stack: Stack) -> httpx.Client:
    with member_of_stack(stack, "manager") as client:
        client.headers.update(CHINESE)
        yield client


def test_a_diagnosis_has_its_parts_where_it_has_values() -> None:
    error = Diagnosis("run", ExitReason.CRASHED, "as it is").as_error("now")
    assert "translatable" not in error


@pytest.mark.parametrize(
    ("pasted", "said_in_chinese"),
    [
        ("[]", "请给出 MCP 客户端的整个文件\uff1a一个按名称列出服务器的对象。"),
        ('{"a": 1, "a": 2}', "JSON 的同一个对象中出现了两次键 'a'。"),
        (r'{"a": "\u0000"}', "文本中不能有 NUL 字符。"),
    ],
)
def test_what_is_wrong_with_pasted_json_is_said_in_the_readers_language(
    pasted: str, said_in_chinese: str
) -> None:
    with translation.override("zh-hans"), pytest.raises(ValidationError) as refused:
        texts.read(pasted)
    assert refused.value.messages == [said_in_chinese]


async def test_what_is_wrong_with_arguments_can_be_said_in_the_readers_language() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
    with pytest.raises(InvalidArguments) as missing:
        await checked(schema, {})
    with pytest.raises(InvalidArguments) as wrong:
        await checked(schema, {"a": "x"})
    with translation.override("zh-hans"):
        assert said(missing.value.problems[0].message).startswith("是必填项")
        assert said(wrong.value.problems[0].message).startswith("应为 number")
    assert wrong.value.problems[0].message == 'expected number, got string "x".'
