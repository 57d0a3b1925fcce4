"""RunAgent goes without the constructor of Strands' Agent: a release that puts more there fails here."""

from typing import Any

import pytest
from strands import Agent
from strands.hooks import AgentInitializedEvent
from strands.middleware import InvokeModelStage

from assistants.agent import run_agent
from assistants.agent.run_agent import OWN, RunAgent
from tests.assistants.agent.conftest import Assistant, client_tool
from tests.assistants.agent.test_run import calls

SEEN = {
    "_aux_model", "_background_tasks", "_cancel_message", "_cancel_signal", "_checkpoint",
    "_checkpoint_cycle_index", "_checkpoint_resume_position", "_checkpointing", "_concurrency",
    "_context_manager", "_context_manager_instance", "_default_structured_output_model", "_deferred_cancel",
    "_external_cancel_signal", "_intervention_registry", "_middleware_registry", "_model_router",
    "_model_state", "_plugin_registry", "_retry_strategy", "_sandbox", "_session_id", "_session_manager",
    "_storage", "_structured_output_prompt", "_system_prompt_content", "agent_id", "baggage_attributes",
    "callback_handler", "conversation_manager", "description", "event_loop_metrics",
    "load_tools_from_directory", "memory_manager", "model", "name", "record_direct_tool_call", "state",
    "tool_caller", "tool_executor", "trace_attributes", "trace_span", "tracer",
}  # fmt: skip
"""The attributes of Strands' Agent of which somebody has seen that all runs may share them."""


@pytest.fixture
def base() -> Agent:
    return run_agent.base()


def test_an_attribute_that_is_new_in_strands_is_seen_by_somebody(base: Agent) -> None:
    assert vars(base).keys() == SEEN | OWN


def test_what_strands_adds_to_each_agent_is_seen_by_somebody(base: Agent) -> None:
    assert set(base._plugin_registry._plugins) == {"strands:model", "strands:agent-delegation"}
    callbacks = base.hooks._registered_callbacks
    assert {
        kind.__name__: [each.callback.__qualname__ for each in callbacks[kind]] for kind in callbacks
    } == {
        "BeforeModelCallEvent": [
            "ConversationManager._on_before_model_call_threshold",
            "AgentDelegation._on_before_model_call",
        ],
        "AfterModelCallEvent": ["ModelRetryStrategy._handle_after_model_call"],
        "AfterInvocationEvent": [
            "ModelRetryStrategy._handle_after_invocation",
            "_ModelPlugin._on_after_invocation",
        ],
        "BeforeToolsEvent": ["AgentDelegation._on_before_tools"],
        "AfterToolCallEvent": ["AgentDelegation._on_after_tool_call"],
        "AfterToolsEvent": ["AgentDelegation._on_after_tools"],
    }
    assert AgentInitializedEvent not in callbacks


async def test_a_run_changes_nothing_that_others_share(assistant: Assistant, monkeypatch: Any) -> None:
    agents: list[RunAgent] = []
    made = RunAgent.__init__

    def make(agent: RunAgent, *arguments: Any) -> None:
        made(agent, *arguments)
        agents.append(agent)

    monkeypatch.setattr(RunAgent, "__init__", make)
    for _ in range(2):
        assistant.script(calls(("ghost", {}), ("weather", {})))
        await assistant.events(client_tools=[client_tool("weather")])
    first, second = agents
    shared = run_agent._shared()
    assert {name for name in SEEN if getattr(first, name) is not getattr(second, name)} <= {"_model_state"}
    assert shared["_model_state"] == {}
    assert shared["_cancel_signal"].is_set() is False
    assert list(shared["_middleware_registry"]._handlers) == [InvokeModelStage]
    assert first._interrupt_state.activated
    assert not {id(getattr(first, name)) for name in OWN} & {id(getattr(second, name)) for name in OWN}
