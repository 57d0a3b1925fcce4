from assistants.catalogue import definitions
from assistants.selection.budget import TokenBudget
from tests.assistants.selection.conftest import functions

LONG = {"type": "object", "properties": {"a": {"type": "string", "description": "x" * 3000}}}
LEAN = {"type": "object", "properties": {"a": {"type": "string"}}}


def names(budget: TokenBudget) -> list[str]:
    return [tool.function.name for tool in budget.selected()]


def test_the_definitions_never_exceed_the_budget() -> None:
    for tokens in range(0, 400, 7):
        budget = TokenBudget(tokens, max_tools=100)
        budget.fill(functions(*"abcdefghij"), limit=100)
        tools = budget.selected()
        taken = sum(definitions.tokens(tool.definition) for tool in tools)
        assert taken == sum(tool.tokens for tool in tools) <= tokens


def test_a_tool_whose_whole_definition_is_too_large_is_defined_lean() -> None:
    (large,) = functions("large", input_schema=LONG)
    budget = TokenBudget(200, max_tools=10)
    assert large.tokens > 1000
    assert budget.add(large)
    [tool] = budget.selected()
    assert tool.definition["function"]["parameters"] == LEAN


def test_tools_that_fit_are_defined_whole() -> None:
    budget = TokenBudget(4000, max_tools=10)
    budget.fill(functions("large", "larger", input_schema=LONG), limit=10)
    assert [tool.definition["function"]["parameters"] for tool in budget.selected()] == [LONG, LONG]


def test_a_large_tool_crowds_out_no_other_and_the_first_tools_are_made_whole_first() -> None:
    budget = TokenBudget(1500, max_tools=10)
    budget.fill(functions(*"abcdef", input_schema=LONG), limit=10)
    assert names(budget) == list("abcdef")
    schemas = [tool.definition["function"]["parameters"] for tool in budget.selected()]
    assert schemas == [LONG, *[LEAN] * 5]


def test_a_tool_that_does_not_fit_even_lean_is_skipped() -> None:
    wide = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(200)}}
    budget = TokenBudget(200, max_tools=10)
    budget.fill([*functions("wide", input_schema=wide), *functions("small")], limit=1)
    assert names(budget) == ["small"]


def test_neither_the_limit_of_a_call_nor_the_number_of_tools_is_exceeded() -> None:
    budget = TokenBudget(10_000, max_tools=3)
    budget.fill(functions(*"ab"), limit=1)
    budget.fill(functions(*"abcdef"), limit=100)
    assert names(budget) == ["a", "b", "c"]


def test_a_tool_that_was_added_before_counts_once() -> None:
    budget = TokenBudget(10_000, max_tools=1)
    assert [budget.add(each) for each in functions("a", "a", "b")] == [True, True, False]
