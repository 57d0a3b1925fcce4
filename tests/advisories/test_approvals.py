"""Approvals of calls: of several things that a request says of one server, the strictest holds."""

from itertools import permutations
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assistants.catalogue import AssistantEntry, FunctionEntry
from assistants.models import Effect
from assistants.openai_api.responses.approval_terms import ServerTerms, requirement

ECHO = FunctionEntry(1, "Clock", "clock", "echo", "clock__echo", "", {}, 1.0)
ASSISTANT = cast(AssistantEntry, SimpleNamespace(servers=[SimpleNamespace(slug="clock")], functions=[ECHO]))
LOOSE: list[Any] = ["never", None, {"never": {"tool_names": ["echo"]}}, {"always": {"tool_names": []}}]
STRICT: list[Any] = [
    "always",
    {"always": {"tool_names": ["echo"]}},
    {"never": {"tool_names": ["other"]}},
    {"always": {"tool_names": ["echo"]}, "never": {"tool_names": ["echo"]}},
]


@pytest.mark.parametrize("strict", STRICT, ids=str)
@pytest.mark.parametrize("loose", LOOSE, ids=str)
def test_approval_bypass(loose: Any, strict: Any) -> None:
    """LiteLLM (in PR #33631): one reference to a server with `never` let the calls of all others run.

    Here a reference that asks is not loosened by another one, before or behind it. That it loosens no rule
    is in tests/assistants/openai_api/approvals/test_items.py.
    """
    for mixed in permutations([loose, strict, "never"]):
        terms = [
            ServerTerms.model_validate({"type": "mcp", "server_label": "clock", "require_approval": each})
            for each in mixed
        ]
        required = requirement(terms, ASSISTANT)
        assert required is not None
        assert required(ECHO) == Effect.ASK
