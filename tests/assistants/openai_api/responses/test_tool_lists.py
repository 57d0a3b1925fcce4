"""Which tools a response lists."""

from typing import Any

import pytest

from assistants.openai_api.responses.prepare import _new_tool_lists
from tests.assistants.selection.conftest import functions, selecting

FEW, MANY = functions("a", "b"), functions(*(f"f{number}" for number in range(129)))


def listed(tools: Any, **fields: Any) -> int:
    return sum(len(each["tools"]) for each in _new_tool_lists([], selecting(*tools, **fields)))


@pytest.mark.parametrize("selection", ["all", "retrieved", "search"])
def test_few_tools_are_listed_however_they_are_selected(selection: str) -> None:
    assert listed(FEW, selection=selection) == 2


def test_more_than_a_model_could_be_given_are_listed_only_where_it_is_given_all() -> None:
    assert [listed(MANY, selection=each) for each in ("all", "retrieved", "search")] == [129, 0, 0]
