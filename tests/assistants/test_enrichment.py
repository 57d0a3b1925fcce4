"""Example requests that a model writes for the tools of enriched servers."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.conf import LazySettings
from django.db import connection
from rest_framework.test import APIClient

from apikeys import actions as key_actions
from assistants import enrichment
from assistants.tasks import enrich_tools
from core.database import advisory_lock
from tests.assistants.routing.conftest import BY, register
from tests.llm import ScriptedLLM
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction
from tools.search import EVERYTHING, index, search

pytestmark = pytest.mark.django_db(transaction=True)
WRITTEN = {
    "get_tides": ["Can I sail out at noon?", "When is the beach widest?"],
    "send_postcard": ["Greet my aunt from me."],
}


class Provider:
    """The provider of the settings, as a separate conversation with the scripted LLM."""

    def __init__(self, llm: ScriptedLLM) -> None:
        self.model = f"enriching-{uuid4().hex}"
        self._llm = llm

    def answers(self, *answers: Any) -> None:
        """Scripts the answers: texts, values that are sent as JSON, or whole steps."""
        self._llm.script(self.model, *map(_step, answers))

    @property
    def asked(self) -> list[dict[str, Any]]:
        return self._llm.bodies(self.model)


def _step(answer: Any) -> dict[str, Any]:
    if isinstance(answer, dict) and "status" in answer:
        return answer
    return {"text": answer if isinstance(answer, str) else json.dumps(answer)}


@pytest.fixture
def provider(llm: ScriptedLLM, settings: LazySettings) -> Provider:
    provider = Provider(llm)
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = llm.base_url, "sk-canary-5"
    settings.OPENAI_MODEL = provider.model
    settings.LLM_READ_TIMEOUT_S = 3
    return provider


@pytest.fixture
def server(db: None) -> MCPTool:
    server = register("Harbour", {"get_tides": "High and low water.", "send_postcard": "Send a postcard."})
    tool_actions.update(server, by=BY, is_enriched=True)
    index.work(for_s=30)
    return server


def examples() -> dict[str, Any]:
    return {row.name: row.generated_examples for row in ToolFunction.objects.all()}


def test_examples_are_written_by_a_model_and_marked_as_such(provider: Provider, server: MCPTool) -> None:
    provider.answers(WRITTEN)
    assert enrichment.work(for_s=5) == 2
    assert examples() == {
        name: {"requests": requests, "model": provider.model, "generated": True}
        for name, requests in WRITTEN.items()
    }
    [asked] = provider.asked
    question = json.loads(asked["messages"][-1]["content"])
    assert [each["name"] for each in question] == ["get_tides", "send_postcard"]
    assert question[0]["description"] == "High and low water."
    assert not asked.get("tools")


def test_the_task_has_examples_written(provider: Provider, server: MCPTool) -> None:
    provider.answers(WRITTEN)
    enrich_tools()
    assert examples()["get_tides"]["requests"] == WRITTEN["get_tides"]
    enrich_tools()
    assert len(provider.asked) == 1


def test_examples_are_written_once(provider: Provider, server: MCPTool) -> None:
    provider.answers(WRITTEN)
    enrichment.work(for_s=5)
    assert enrichment.work(for_s=5) == 0
    assert len(provider.asked) == 1


def test_a_changed_definition_loses_its_examples_at_once_and_gets_new_ones(
    provider: Provider, server: MCPTool
) -> None:
    provider.answers(WRITTEN, {"get_tides": ["How strong is the wind?"]})
    enrichment.work(for_s=5)
    schema = {"type": "object", "properties": {}}
    unchanged = {"name": "send_postcard", "description": "Send a postcard.", "inputSchema": schema}
    changed = {"name": "get_tides", "description": "Tides and wind.", "inputSchema": schema}
    catalogue.record(server.pk, [changed, unchanged])
    assert examples()["get_tides"] is None
    assert enrichment.work(for_s=5) == 1
    assert examples()["get_tides"]["requests"] == ["How strong is the wind?"]
    assert examples()["send_postcard"]["requests"] == WRITTEN["send_postcard"]


def test_tools_are_found_by_their_examples_and_without_them_before(
    provider: Provider, server: MCPTool
) -> None:
    query = "Greet my aunt from me."
    before = score("send_postcard", query)
    provider.answers(WRITTEN)
    enrichment.work(for_s=5)
    index.work(for_s=30)
    assert score("send_postcard", query) > before + 0.1


def score(name: str, query: str) -> float:
    found = async_to_sync(search)(query, EVERYTHING, limit=10)
    assert not found.degraded
    return next((hit.score for hit in found.hits if hit.function == name), 0.0)


def test_only_tools_of_enriched_servers_are_shown_to_the_model(provider: Provider, server: MCPTool) -> None:
    tool_actions.update(server, by=BY, is_enriched=False)
    enrich_tools()
    provider.answers(WRITTEN)
    assert (enrichment.work(for_s=5), provider.asked) == (0, [])


def test_a_server_that_is_no_longer_enriched_loses_its_examples(provider: Provider, server: MCPTool) -> None:
    provider.answers(WRITTEN)
    enrichment.work(for_s=5)
    tool_actions.update(server, by=BY, description="Another.")
    assert examples()["get_tides"] is not None
    tool_actions.update(server, by=BY, is_enriched=False)
    assert examples() == {"get_tides": None, "send_postcard": None}


@pytest.mark.parametrize(
    "garbage", ["I would rather not.", [1], {"get_tides": "one"}, {"get_tides": [1]}, ""]
)
def test_after_two_malformed_answers_a_tool_is_left_alone(
    provider: Provider, server: MCPTool, garbage: Any
) -> None:
    provider.answers(garbage, garbage, WRITTEN)
    enrichment.work(for_s=5)
    assert examples() == {"get_tides": None, "send_postcard": None}
    assert len(provider.asked) == 2
    assert enrichment.work(for_s=5) == 0


def test_a_well_formed_second_answer_counts(provider: Provider, server: MCPTool) -> None:
    provider.answers("No.", f"```json\n{json.dumps(WRITTEN)}\n```")
    assert enrichment.work(for_s=5) == 2
    assert examples()["get_tides"]["requests"] == WRITTEN["get_tides"]


@pytest.mark.parametrize("failure", [{"status": 500}, {"status": 401}, {"status": 200, "delay_s": 60}])
def test_after_a_failure_of_the_provider_the_next_call_tries_again(
    provider: Provider, server: MCPTool, failure: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    provider.answers(*[failure] * 3)
    assert enrichment.work(for_s=5) == 0
    assert "No example requests are written for tools now" in caplog.text
    assert "sk-canary-5" not in caplog.text
    assert index.progress().is_complete
    provider.answers(WRITTEN)
    assert enrichment.work(for_s=5) == 2


def test_examples_are_bounded_and_printable(provider: Provider, server: MCPTool) -> None:
    many = [f"Request {number}" for number in range(50)]
    odd = ["  two\n lines\u0000 ", "two lines", "", "\u202e", "x" * 5_000]
    provider.answers({"get_tides": many, "send_postcard": odd, "unknown": ["Nobody asked."]})
    enrichment.work(for_s=5)
    assert examples()["get_tides"]["requests"] == many[:5]
    assert examples()["send_postcard"]["requests"] == ["two lines", "x" * 200]


def test_a_question_is_about_at_most_eight_tools_of_one_server(provider: Provider, db: None) -> None:
    for name in ("East", "West"):
        server = register(name, {f"tool_{number}": "A tool." for number in range(9)})
        tool_actions.update(server, by=BY, is_enriched=True)
    provider.answers(*[{f"tool_{number}": ["Do it."] for number in range(9)}] * 4)
    assert enrichment.work(for_s=10) == 18
    questions = [json.loads(asked["messages"][-1]["content"]) for asked in provider.asked]
    assert [len(tools) for tools in questions] == [8, 1, 8, 1]
    assert [{each["server"] for each in tools} for tools in questions] == [
        {"East"},
        {"East"},
        {"West"},
        {"West"},
    ]


def test_only_one_worker_at_a_time_enriches(provider: Provider, server: MCPTool) -> None:
    provider.answers(WRITTEN)
    is_held, is_over = Event(), Event()

    def hold() -> None:
        with advisory_lock("assistants.enrichment"):
            is_held.set()
            is_over.wait(30)
        connection.close()

    with ThreadPoolExecutor(1) as another:
        another.submit(hold)
        assert is_held.wait(30)
        assert enrichment.work(for_s=5) == 0
        is_over.set()
    assert enrichment.work(for_s=5) == 2


def test_the_api_shows_examples_as_generated(provider: Provider, server: MCPTool) -> None:
    provider.answers(WRITTEN)
    enrichment.work(for_s=5)
    issued = key_actions.issue(by=BY, name="manager", can_manage=True)
    api = APIClient(headers={"Authorization": f"Bearer {issued.key}"})
    shown = api.get("/api/v1/mcp-tools/harbour/functions/get_tides").json()
    assert shown["examples"] == {"requests": WRITTEN["get_tides"], "model": provider.model, "generated": True}
