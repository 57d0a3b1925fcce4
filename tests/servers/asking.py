"""A hand-rolled stdio MCP server whose tools report, log and ask back: `asking.py [modern] [bold]`.

modern  knows the stateless era only, and asks by `input_required` results instead of requests of its own
bold    asks clients, too, that have not declared that they can be asked
alone   makes the folder that is the last argument, and ends if it is there: so it runs once

`shy` is `ask`, and listed only for clients that can be shown a form.
"""

import itertools
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

IS_MODERN = "modern" in sys.argv
INFO = {"name": "asking", "version": "7", "websiteUrl": "https://asking.example"}
OBJECT = {"type": "object"}
FORM = {"type": "object", "properties": {"name": {"type": "string"}}}
EXTRA = {"icons": [{"src": "https://asking.example/i.png"}], "_meta": {"a": 1}, "unheard": {"of": []}}
lock = threading.Lock()
numbers = itertools.count(1)
answers: dict[Any, dict[str, Any]] = {}
arrived: dict[Any, threading.Event] = {}
cancelled: dict[Any, threading.Event] = {}
declared: dict[str, Any] = {}
subscribed: dict[str, Any] = {}
told: list[Any] = []


def send(message: dict[str, Any]) -> None:
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def notify(method: str, **params: Any) -> None:
    send({"method": f"notifications/{method}", "params": params})


def text(value: Any) -> dict[str, Any]:
    said = value if isinstance(value, str) else json.dumps(value)
    return {"content": [{"type": "text", "text": said}], **({"resultType": "complete"} if IS_MODERN else {})}


class Call:
    def __init__(self, message: dict[str, Any]) -> None:
        self.id = message["id"]
        self.params = message["params"]
        self.arguments = self.params.get("arguments") or {}
        self.meta = self.params.get("_meta") or {}
        self.cancelled = cancelled.setdefault(self.id, threading.Event())

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sends a request of the session era; returns the whole answer, `result` or `error`."""
        name = f"ask-{next(numbers)}"
        arrived[name] = threading.Event()
        send({"id": name, "method": method, **({} if params is None else {"params": params})})
        while not arrived[name].wait(0.02):
            if self.cancelled.is_set():
                return {"cancelled": True}
        return answers.pop(name)


def report(call: Call) -> dict[str, Any]:
    """Reports progress each `every` seconds, `times` times."""
    for number in range(call.arguments["times"]):
        if call.cancelled.wait(call.arguments["every"]):
            break
        notify("progress", progressToken=call.meta["progressToken"], progress=number + 1)
    return text("reported")


def wait(call: Call) -> dict[str, Any]:
    call.cancelled.wait(30)
    return text("waited")


QUESTIONS: dict[str, dict[str, Any]] = {
    "form": {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": FORM}},
    "url": {
        "method": "elicitation/create",
        "params": {"mode": "url", "url": "https://x.example/", "elicitationId": "1", "message": "Go"},
    },
    "http": {
        "method": "elicitation/create",
        "params": {"mode": "url", "url": "http://x.example/", "elicitationId": "1", "message": "Go"},
    },
    "sampling": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 9}},
    "roots": {"method": "roots/list", "params": {}},
}
CAPABILITY = {"form": "elicitation", "url": "elicitation", "http": "elicitation"}


def ask(call: Call) -> dict[str, Any]:
    """Asks each of `kinds` in turn, or `at_once`; returns the answers."""
    kinds = call.arguments["kinds"]
    if IS_MODERN:
        return ask_by_result(call, kinds)
    if "bold" not in sys.argv and not all(CAPABILITY.get(kind, kind) in declared for kind in kinds):
        return text("nobody to ask")
    if not call.arguments.get("at_once"):
        return text([call.ask(**QUESTIONS[kind]) for kind in kinds])
    found: dict[int, Any] = {}
    threads = [
        threading.Thread(target=lambda at=at, kind=kind: found.update({at: call.ask(**QUESTIONS[kind])}))
        for at, kind in enumerate(kinds)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return text([found[at] for at in range(len(kinds))])


def ask_by_result(call: Call, kinds: list[str]) -> dict[str, Any]:
    if "requestState" in call.params:
        return text([call.params["requestState"], call.params["inputResponses"]])
    # A page to open has no id in this era.
    asked = {kind: QUESTIONS[kind] | {"params": dict(QUESTIONS[kind]["params"])} for kind in kinds}
    for question in asked.values():
        question["params"].pop("elicitationId", None)
    return {"resultType": "input_required", "inputRequests": asked, "requestState": "so far"}


def log(call: Call) -> dict[str, Any]:
    level = call.meta.get("io.modelcontextprotocol/logLevel") if IS_MODERN else levels[-1]
    notify("message", level="info", logger="x", data={"level": level}, more=1)
    return text("logged")


def set_level(params: dict[str, Any]) -> dict[str, Any]:
    levels.append(params["level"])
    return {}


levels: list[str] = [""]


def touch(call: Call) -> dict[str, Any]:
    """Reports a resource as updated, or a part of it, if it is subscribed to."""
    uri = call.arguments["uri"]
    for whole, stream in list(subscribed.items()):
        if uri.startswith(whole):
            meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": stream}} if IS_MODERN else {}
            notify("resources/updated", uri=uri, **meta)
    return text("touched")


FULL = {"content": [], "structuredContent": {"a": [1]}, "_meta": {"example/x": 1}, "unheard": {"of": None}}

TOOLS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "report": report,
    "wait": wait,
    "touch": touch,
    "ask": ask,
    "shy": ask,
    "log": log,
    "pid": lambda _: text(os.getpid()),
    "subscribed": lambda _: text(list(subscribed)),
    "full": lambda _: {**text(""), **FULL},
    "params": lambda call: text(call.params),
    "declared": lambda _: text(declared),
    "cancelled": lambda _: text(sum(each.is_set() for each in cancelled.values())),
}


class Refused(Exception):
    """An error of JSON-RPC: code, message, data."""


def refuse(call: Call) -> dict[str, Any]:
    if url := call.arguments.get("url"):
        raise Refused(-32042, "Log in first", {"elicitations": [{"mode": "url", "url": url}]})
    raise Refused(-32042, "Not today", {"why": "rain"})


TOOLS["refuse"] = refuse


def greeting(params: dict[str, Any]) -> dict[str, Any]:
    declared.update(params["capabilities"])
    capabilities = {"tools": {}, "completions": {}, "logging": {}, "resources": {"subscribe": True}}
    version = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": INFO}
    return {**version, "instructions": "Ask before you act."}


def discovery(_: dict[str, Any]) -> dict[str, Any]:
    offered = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}, "completions": {}}}
    meta = {"_meta": {"io.modelcontextprotocol/serverInfo": INFO}}
    return {**offered, **complete(), **meta, "instructions": "Ask before you act."}


def complete() -> dict[str, Any]:
    return {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if IS_MODERN else {}


def listing(params: dict[str, Any]) -> dict[str, Any]:
    meta = params.get("_meta") or {}
    client = meta.get("io.modelcontextprotocol/clientCapabilities", {}) if IS_MODERN else declared
    names = [name for name in TOOLS if name != "shy" or "elicitation" in client]
    return {"tools": [{"name": name, "inputSchema": OBJECT, **EXTRA} for name in names], **complete()}


def completion(params: dict[str, Any]) -> dict[str, Any]:
    found = [f"{params['argument']['value']}{each}" for each in "ab"]
    return {"completion": {"values": found}, **complete()}


def subscribe(params: dict[str, Any]) -> dict[str, Any]:
    if params["uri"] == "memo://secret":
        raise Refused(-32002, "Resource not found", {"uri": params["uri"]})
    subscribed[params["uri"]] = None
    return {}


def unsubscribe(params: dict[str, Any]) -> dict[str, Any]:
    del subscribed[params["uri"]]
    return {}


def listen(message: dict[str, Any]) -> None:
    number, wanted = message["id"], message["params"]["notifications"]
    uris = [uri for uri in wanted.get("resourceSubscriptions", []) if uri != "memo://secret"]
    meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": number}}
    notify(
        "subscriptions/acknowledged", notifications={"resourceSubscriptions": uris} if uris else {}, **meta
    )
    subscribed.update(dict.fromkeys(uris, number))
    cancelled.setdefault(number, threading.Event()).wait()
    for uri in uris:
        del subscribed[uri]


METHODS = {
    "tools/list": listing,
    "completion/complete": completion,
    "resources/list": lambda _: {"resources": [], **complete()},
    "resources/templates/list": lambda _: {"resourceTemplates": [], **complete()},
    "logging/setLevel": set_level,
    "resources/subscribe": subscribe,
    "resources/unsubscribe": unsubscribe,
}
METHODS |= {"server/discover": discovery} if IS_MODERN else {"initialize": greeting}


def answer(message: dict[str, Any]) -> None:
    method, params = message["method"], message.get("params") or {}
    try:
        if method == "tools/call":
            if params["name"] == "shy" and not IS_MODERN and "elicitation" not in declared:
                raise Refused(-32602, "No tool of this name", None)
            outcome = {"result": TOOLS[params["name"]](Call(message))}
        elif method in METHODS:
            outcome = {"result": METHODS[method](params)}
        else:
            raise Refused(-32601, "Method not found", None)
    except Refused as refused:
        outcome = {"error": dict(zip(("code", "message", "data"), refused.args, strict=True))}
    if not cancelled.get(message["id"], threading.Event()).is_set():
        send({"id": message["id"], **outcome})


def receive(message: dict[str, Any]) -> None:
    if message.get("method") == "notifications/cancelled":
        cancelled.setdefault(message["params"]["requestId"], threading.Event()).set()
    elif "method" in message and "id" in message:
        listens = message["method"] == "subscriptions/listen" and IS_MODERN
        threading.Thread(target=listen if listens else answer, args=[message], daemon=True).start()
    elif "method" in message:
        told.append(message["method"])
    else:
        answers[message["id"]] = message
        arrived[message["id"]].set()


if __name__ == "__main__":
    if "alone" in sys.argv:
        Path(sys.argv[-1]).mkdir()
    for line in sys.stdin:
        receive(json.loads(line))
