"""The tools of an assistant over REST, as `requests` calls them, in the running product."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from drf_spectacular.validation import validate_schema

from apikeys.actions import IssuedKey
from tests.stack import BY, Stack, wait_for
from tools import actions as tool_actions
from tools.models import MCPTool


@pytest.fixture(scope="module")
def caller(stack: Stack) -> IssuedKey:
    return stack.key("rest-caller")


@pytest.fixture(scope="module")
def shop(stack: Stack, caller: IssuedKey) -> MCPTool:
    server = stack.server("Shop", "structured", "picky")
    stack.assistant("shop", server, keys=(caller,), store_bodies=True, description="Sells things.")
    return server


class Client:
    """Calls as `requests` does, with a key."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._headers = url, {"authorization": f"Bearer {key}"}

    def call(self, name: str, arguments: Any = None, **options: Any) -> requests.Response:
        body = {"json": {} if arguments is None else arguments} | options
        return self.send("POST", f"shop/tools/{name}", **body)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = self._headers | options.pop("headers", {})
        url = f"{self._url}/api/v1/assistants/{path}"
        return requests.request(method, url, headers=headers, timeout=20, **options)


@pytest.fixture
def client(stack: Stack, caller: IssuedKey, shop: MCPTool) -> Client:
    return Client(stack.url, caller.key)


def error_of(answer: requests.Response) -> tuple[int, str]:
    """The status and the type of an answer in the envelope of the management API."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert body["success"] is False
    assert body["error"]["status_code"] == answer.status_code
    assert body["error"]["details"]["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["error"]["type"]


def test_structured_content_is_the_answer(client: Client) -> None:
    answer = client.call("shop__weigh", {"thing": "egg", "times": 3})
    assert (answer.status_code, answer.json()) == (200, {"grams": 6})
    assert answer.headers["content-type"] == "application/json"


def test_without_any_the_content_is(client: Client) -> None:
    answer = client.call("shop__echo", {"a": [1, None, "é"]})
    assert answer.status_code == 200
    assert answer.json() == {"content": [{"type": "text", "text": '{"a": [1, null, "\\u00e9"]}'}]}


def test_a_tool_that_fails_is_422_with_its_text(client: Client) -> None:
    answer = client.call("shop__fail")
    assert error_of(answer) == (422, "tool_error")
    error = answer.json()["error"]
    assert error["message"] == "it failed"
    assert error["details"]["content"] == [{"type": "text", "text": "it failed"}]


def test_wrong_arguments_are_422_by_path(client: Client) -> None:
    answer = client.call("shop__find", {"$filter": [{"id": "x"}], "limit": 500})
    assert error_of(answer) == (422, "validation_error")
    fields = answer.json()["error"]["details"]["fields"]
    assert fields == {
        "arguments.$filter[0].id": ['expected integer, got string "x".'],
        "arguments.limit": ["expected maximum 100, got integer 500."],
    }


def test_unknown_names_are_404(client: Client) -> None:
    assert error_of(client.call("nothing")) == (404, "unknown_tool")
    assert error_of(client.send("POST", "nobody/tools/shop__echo", json={})) == (404, "assistant_not_found")
    assert error_of(client.send("GET", "nobody/openapi.json")) == (404, "assistant_not_found")
    assert error_of(client.send("POST", "%00/tools/a", json={}))[0] == 404


def test_an_assistant_that_is_not_granted_looks_as_if_there_were_none(stack: Stack, shop: MCPTool) -> None:
    other = Client(stack.url, stack.key("rest-other").key)
    assert error_of(other.call("shop__echo")) == (404, "assistant_not_found")
    assert error_of(other.send("GET", "shop/openapi.json")) == (404, "assistant_not_found")


def test_a_key_is_needed_that_may_call(stack: Stack, shop: MCPTool) -> None:
    url = f"{stack.url}/api/v1/assistants/shop/tools/shop__echo"
    answer = requests.post(url, json={}, timeout=30)
    assert error_of(answer) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    manager = stack.key("rest-manager", can_manage=True, can_call_assistant=False)
    assert error_of(Client(stack.url, manager.key).call("shop__echo")) == (403, "calling_required")
    assert requests.get(f"{stack.url}/api/v1/assistants/shop/openapi.json", timeout=30).status_code == 401


def test_limits_are_429_with_when_to_try_again(stack: Stack, shop: MCPTool) -> None:
    limited = stack.key("rest-limited", requests_per_minute=1)
    stack.assistant("limited-shop", shop, keys=(limited,))
    client = Client(stack.url, limited.key)
    path = "limited-shop/tools/shop__echo"
    assert client.send("GET", "limited-shop/openapi.json").status_code == 200  # is not counted
    assert client.send("POST", path, json={}).status_code == 200
    refused = client.send("POST", path, json={})
    assert error_of(refused) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert refused.headers["x-ratelimit-limit-requests"] == "1"


def test_a_server_that_does_not_answer_is_504_and_one_that_is_stopped_503(
    stack: Stack, caller: IssuedKey
) -> None:
    server = stack.server("Slow shop", call_timeout_s=1)
    stack.assistant("slow-shop", server, keys=(caller,))
    client = Client(stack.url, caller.key)
    path = "slow-shop/tools/slow-shop"
    assert error_of(client.send("POST", f"{path}__sleep", json={"s": 30})) == (504, "tool_timeout")
    assert error_of(client.send("POST", f"{path}__crash", json={})) == (503, "server_restarting")
    with stack.database():
        tool_actions.stop(server, by=BY)
    stopped = client.send("POST", f"{path}__echo", json={})
    assert error_of(stopped) == (503, "server_unavailable")
    assert stopped.headers["retry-after"] == "1"


def test_too_large_a_result_is_502(client: Client) -> None:
    assert error_of(client.call("shop__big", {"bytes": 64 * 1024 * 1024})) == (502, "output_too_large")


@pytest.mark.parametrize("body", [b"[1]", b'"text"', b"null", b"", b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}'])
def test_a_body_that_is_no_object_is_400(client: Client, body: bytes) -> None:
    answer = client.send(
        "POST", "shop/tools/shop__echo", data=body, headers={"content-type": "application/json"}
    )
    assert error_of(answer)[0] == 400


def test_a_body_that_is_no_json_is_415(client: Client) -> None:
    answer = client.send("POST", "shop/tools/shop__echo", data={"a": "form"})
    assert error_of(answer) == (415, "unsupported_media_type")


def test_large_arguments_pass_and_larger_ones_are_413(client: Client) -> None:
    text = "x" * (5 * 1024 * 1024)
    answer = client.call("shop__count", {"text": text})
    assert (answer.status_code, answer.json()["content"][0]["text"]) == (200, str(len(text)))
    assert error_of(client.call("shop__echo", {"text": text * 3})) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "shop/tools/shop__echo", "POST"), ("POST", "shop/openapi.json", "GET")],
)
def test_other_methods_are_405(client: Client, method: str, path: str, allowed: str) -> None:
    answer = client.send(method, path)
    assert error_of(answer) == (405, "method_not_allowed")
    assert allowed in answer.headers["allow"]


def test_a_call_is_on_the_record(stack: Stack, client: Client) -> None:
    identity = {"x-request-id": "req_rest_recorded"}
    assert client.call("shop__weigh", {"thing": "egg"}, headers=identity).status_code == 200
    manager = {"authorization": f"Bearer {stack.key('rest-reader', can_manage=True).key}"}

    def runs() -> Any:
        url = f"{stack.url}/api/v1/runs?request_id=req_rest_recorded&kind=rest"
        return requests.get(url, headers=manager, timeout=30).json()

    wait_for(runs, within_s=30)
    [run] = runs()
    assert (run["kind"], run["status"], run["model"]) == ("rest", "completed", "")
    whole = requests.get(f"{stack.url}/api/v1/runs/{run['id']}", headers=manager, timeout=30).json()
    [call] = whole["tool_calls"]
    assert (call["function"], call["arguments"], call["result"]) == ("weigh", {"thing": "egg"}, "2 g")


def test_the_description_is_valid_and_says_how_to_call_each_tool(stack: Stack, client: Client) -> None:
    description = client.send("GET", "shop/openapi.json").json()
    validate_schema(description)
    assert description["info"]["title"] == "shop"
    assert description["servers"] == [{"url": f"{stack.url}/api/v1/assistants/shop"}]
    operation = description["paths"]["/tools/shop__weigh"]["post"]
    assert (operation["operationId"], operation["summary"]) == ("shop__weigh", "Scales")
    assert operation["description"] == "Weighs a thing."
    given = resolved(description, operation["requestBody"]["content"])
    assert (given["required"], [*given["properties"]]) == (["thing"], ["thing", "times"])
    answer = resolved(description, operation["responses"]["200"]["content"])
    assert answer["required"] == ["grams"]
    plain = description["paths"]["/tools/shop__echo"]["post"]
    assert resolved(description, plain["responses"]["200"]["content"])["required"] == ["content"]


def test_references_within_a_tools_schema_lead_somewhere(client: Client) -> None:
    description = client.send("GET", "shop/openapi.json").json()
    operation = description["paths"]["/tools/shop__find"]["post"]
    given = resolved(description, operation["requestBody"]["content"])
    condition = at(description, given["properties"]["$filter"]["items"]["$ref"])
    assert condition["properties"].keys() == {"field[name]", "id"}


def resolved(description: Any, content: Any) -> Any:
    return at(description, content["application/json"]["schema"]["$ref"])


def at(description: Any, reference: str) -> Any:
    found = description
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


@pytest.fixture(autouse=True)
def no_error_of_ours(stack: Stack) -> Iterator[None]:
    before = stack.log("web").count("Traceback")
    yield
    assert stack.log("web").count("Traceback") == before
