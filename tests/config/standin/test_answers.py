import json
from typing import Any

import pytest

from config.standin import answers

ZONE = {
    "type": "string",
    "description": "IANA timezone name (e.g., 'America/New_York', 'Europe/London'). Else 'UTC'.",
}
CLOCK = {"type": "string", "description": "Time to convert in 24-hour format (HH:MM)"}
NUMBER = {"type": "number"}


def function(name: str, description: str, /, *optional: str, **properties: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TOOLS = [
    function("time__get_current_time", "Get current time in a specific timezone", timezone=ZONE),
    function(
        "time__convert_time",
        "Convert time between timezones",
        source_timezone=ZONE,
        time=CLOCK,
        target_timezone=ZONE,
    ),
    function("sums__add", "Add two numbers", a=NUMBER, b=NUMBER),
    function("everything__echo", "Echoes back the input", message={"type": "string"}),
    function(
        "everything__get-structured-content",
        "Returns structured content",
        location={"type": "string", "enum": ["New York", "Chicago"]},
    ),
    function(
        "files__search_files", "Search files", "limit", path={"type": "string"}, limit={"type": "integer"}
    ),
]


def asked(message: str, **request: Any) -> list[tuple[str, Any]]:
    """The calls that the stand-in makes, as (name, arguments)."""
    answer = answers.answer({"messages": [{"role": "user", "content": message}], "tools": TOOLS} | request)
    return [(call.name, json.loads(call.arguments)) for call in answer.calls]


@pytest.mark.parametrize(
    ("message", "zone"),
    [
        ("What time is it in Asia/Shanghai?", "Asia/Shanghai"),
        ("what time is it in shanghai", "Asia/Shanghai"),
        ("Tell me the time in New York, please", "America/New_York"),
        ("What's the current time in Japan?", "Asia/Tokyo"),
        ("What time is it?", "UTC"),
    ],
)
def test_it_finds_the_time_zone(message: str, zone: str) -> None:
    assert asked(message) == [("time__get_current_time", {"timezone": zone})]


@pytest.mark.parametrize(
    ("message", "source", "clock", "target"),
    [
        ("Convert 12:30 from New York to Tokyo", "America/New_York", "12:30", "Asia/Tokyo"),
        ("Convert to Tokyo time: 9:05 from London", "Europe/London", "09:05", "Asia/Tokyo"),
        ("What is 3pm Berlin time in Tokyo?", "Europe/Berlin", "15:00", "Asia/Tokyo"),
    ],
)
def test_it_distinguishes_source_and_target(message: str, source: str, clock: str, target: str) -> None:
    arguments = {"source_timezone": source, "time": clock, "target_timezone": target}
    assert asked(message) == [("time__convert_time", arguments)]


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("Add 2 and 3", ("sums__add", {"a": 2, "b": 3})),
        ("add -2.5 to 4", ("sums__add", {"a": -2.5, "b": 4})),
        ('Echo "hello world"', ("everything__echo", {"message": "hello world"})),
        ("structured content for Chicago", ("everything__get-structured-content", {"location": "Chicago"})),
        ("search files with path /tmp/a", ("files__search_files", {"path": "/tmp/a"})),
        ("search files in /tmp/a limit 5", ("files__search_files", {"path": "/tmp/a", "limit": 5})),
    ],
)
def test_it_fills_numbers_quotes_options_and_paths(message: str, call: tuple[str, Any]) -> None:
    assert asked(message) == [call]


def test_it_calls_once_for_each_time_zone_in_parallel() -> None:
    calls = asked("What time is it in Tokyo and in Paris?")
    assert [arguments["timezone"] for _, arguments in calls] == ["Asia/Tokyo", "Europe/Paris"]


def test_it_makes_one_call_where_parallel_calls_are_off() -> None:
    assert len(asked("What time is it in Tokyo and in Paris?", parallel_tool_calls=False)) == 1


@pytest.mark.parametrize(
    ("message", "argument", "value"),
    [
        ("What is the weather forecast of Berlin?", "city", "Berlin"),
        ("what's the weather forecast in berlin", "place", "berlin"),
        ("Give me the forecast for New York City, please", "location", "New York City"),
        ("Weather forecast of the Matterhorn", "where", "Matterhorn"),
    ],
)
def test_it_calls_a_newcomers_first_tool(message: str, argument: str, value: str) -> None:
    tool = function("weather__forecast", "", **{argument: {"type": "string"}})
    answer = answers.answer({"messages": [{"role": "user", "content": message}], "tools": [tool]})
    assert [json.loads(call.arguments) for call in answer.calls] == [{argument: value}]


@pytest.mark.parametrize(
    ("items", "message", "values"),
    [
        (NUMBER, "plot points 1, 2 and 2", [1, 2, 2]),
        ({"type": "string"}, 'plot points "a" and "b"', ["a", "b"]),
        ({"type": "string", "enum": ["red", "blue"]}, 'plot points in red, "quoted"', ["red"]),
        ({"type": "string", "format": "uri"}, 'plot points of http://a/b "c"', ["http://a/b"]),
    ],
)
def test_it_fills_lists(items: dict[str, Any], message: str, values: list[Any]) -> None:
    tool = function("plot_points", "Plots", points={"type": "array", "items": items})
    assert asked(message, tools=[tool]) == [("plot_points", {"points": values})]


def test_it_calls_every_tool_that_is_named_in_full() -> None:
    calls = asked("Run get-structured-content for Chicago, then get_current_time")
    assert [name for name, _ in calls] == ["everything__get-structured-content", "time__get_current_time"]


def test_it_does_not_call_a_tool_whose_arguments_are_not_stated() -> None:
    assert asked("Add something") == []


def test_it_answers_plainly_that_it_is_a_stand_in() -> None:
    answer = answers.answer({"messages": [{"role": "user", "content": "Hello"}], "tools": TOOLS})
    assert not answer.calls
    assert answers.NOTICE in answer.text
    assert "OPENAI_API_KEY" in answer.text


def test_it_calls_nothing_when_the_tool_choice_is_none() -> None:
    assert asked("What time is it in Tokyo?", tool_choice="none") == []


def test_it_calls_the_tool_that_it_is_forced_to() -> None:
    choice = {"type": "function", "function": {"name": "sums__add"}}
    assert asked("Hello", tool_choice=choice) == [("sums__add", {"a": 0, "b": 0})]


def test_it_calls_something_when_required() -> None:
    assert len(asked("Hello", tool_choice="required")) == 1


def test_it_fills_a_location_from_the_text() -> None:
    weather = function("get_weather", "Get the weather.", location={"type": "string"})
    called = asked("What is the weather in San Francisco, CA?", tools=[weather])
    assert called == [("get_weather", {"location": "San Francisco, CA"})]


def in_json(message: str, form: dict[str, Any], **request: Any) -> Any:
    messages = [{"role": "user", "content": message}]
    return json.loads(answers.answer({"messages": messages, "response_format": form} | request).text)


def test_it_answers_by_a_schema() -> None:
    properties = {"city": {"type": "string"}, "days": {"type": "integer"}, "sunny": {"type": "boolean"}}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    form = {"type": "json_schema", "json_schema": {"name": "forecast", "schema": schema}}
    assert in_json("Three days in Brno", form) == {"city": "Brno", "days": 0, "sunny": False}
    assert in_json("Add something", form, tools=TOOLS)["city"] == "Add something"


def test_it_answers_in_an_object_with_the_keys_that_are_quoted() -> None:
    message = "Tell a joke with the keys 'setup' and 'punchline'."
    assert in_json(message, {"type": "json_object"}) == {"setup": message, "punchline": message}


def test_it_answers_in_json_only_where_that_is_asked_for() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    assert answers.NOTICE in answers.answer({"messages": messages, "response_format": {"type": "text"}}).text


def test_it_answers_with_the_results_since_the_user_last_spoke() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "sums__add", "arguments": "{}"}}]
    messages = [
        {"role": "user", "content": "Add 1 and 1"},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "an old result"},
        {"role": "user", "content": "Add 2 and 3"},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "five"}]},
    ]
    answer = answers.answer({"messages": messages, "tools": TOOLS})
    assert not answer.calls
    assert "sums__add answered: five" in answer.text
    assert "an old result" not in answer.text
    assert answers.NOTICE in answer.text


def test_it_repeats_which_servers_are_unavailable() -> None:
    line = "These servers are unavailable now: github (it crashed)"
    messages = [{"role": "system", "content": f"Be kind.\n{line}"}, {"role": "user", "content": "Hello"}]
    text = answers.answer({"messages": messages}).text
    assert line in text
    assert "Be kind" not in text


def test_it_follows_local_references_and_survives_endless_ones() -> None:
    schema = {
        "type": "object",
        "properties": {"node": {"$ref": "#/$defs/node"}, "count": {"anyOf": [{"type": "null"}, NUMBER]}},
        "required": ["node", "count"],
        "$defs": {"node": {"type": "object", "properties": {"node": {"$ref": "#/$defs/node"}}}},
    }
    tool = {"type": "function", "function": {"name": "grow_tree", "parameters": schema}}
    assert asked("grow tree by 3", tools=[tool]) == [("grow_tree", {"node": {}, "count": 3})]


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
SHAPES = {
    "weather__get_forecast": ("Get the weather forecast for a location", {"location": TEXT}),
    "currency__convert": (
        "Convert an amount from one currency to another",
        {"amount": {"type": "number"}, "from_currency": TEXT, "to_currency": TEXT},
    ),
    "todo__add_task": ("Add a task to the todo list", {"title": TEXT}),
    "todo__list_tasks": ("List all tasks", {}),
    "web__search": ("Search the web for pages", {"query": TEXT}),
    "translate__translate_text": (
        "Translate text into another language",
        {"text": TEXT, "target_language": TEXT},
    ),
    "fs__read_file": ("Read the contents of a file", {"path": TEXT}),
    "calc__calculate": ("Evaluate a mathematical expression", {"expression": TEXT}),
    "db__execute_query": ("Run an SQL query against the database", {"sql": TEXT}),
}


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("Will it rain in Berlin tomorrow?", "weather__get_forecast", {"location": "Berlin"}),
        ("How warm is it in Rome?", "weather__get_forecast", {"location": "Rome"}),
        (
            "How much is 50 dollars in euros?",
            "currency__convert",
            {"amount": 50, "from_currency": "USD", "to_currency": "EUR"},
        ),
        (
            "Convert 100 USD to EUR",
            "currency__convert",
            {"amount": 100, "from_currency": "USD", "to_currency": "EUR"},
        ),
        ("Add buy milk to my todo list", "todo__add_task", {"title": "buy milk"}),
        ("Remind me to call Anna", "todo__add_task", {"title": "call Anna"}),
        ("What do I have to do?", "todo__list_tasks", {}),
        ("Look up llamas", "web__search", {"query": "Look up llamas"}),
        (
            "How do you say thank you in Spanish?",
            "translate__translate_text",
            {"text": "thank you", "target_language": "Spanish"},
        ),
        ("What's in README.md?", "fs__read_file", {"path": "README.md"}),
        ("What is 2 + 2?", "calc__calculate", {"expression": "2 + 2"}),
        ("Run SELECT * FROM users", "db__execute_query", {"sql": "SELECT * FROM users"}),
    ],
)
def test_a_newcomers_question_finds_the_obvious_tool(
    question: str, name: str, arguments: dict[str, Any]
) -> None:
    tools = [
        {
            "type": "function",
            "function": {
                "name": each,
                "description": description,
                "parameters": {"type": "object", "properties": properties, "required": list(properties)},
            },
        }
        for each, (description, properties) in SHAPES.items()
    ]
    [call] = answers.answer({"messages": [{"role": "user", "content": question}], "tools": tools}).calls
    assert (call.name, json.loads(call.arguments)) == (name, arguments)
