"""asking.py with a tool that runs as a task and not otherwise (MCP 2025-11-25): `tasks.py`.

study   counts `steps` of `every` seconds, may ask a `form` then, and may `fail`
"""

import itertools
import json
import sys
import threading
from typing import Any

import asking
from asking import METHODS, QUESTIONS, TOOLS, Call, Refused, receive, text

RELATED = "io.modelcontextprotocol/related-task"
numbers = itertools.count(1)


class Task:
    def __init__(self, call: Call) -> None:
        self.id = f"task-{next(numbers)}"
        self.call = call
        self.status, self.message = "working", ""
        self.outcome: dict[str, Any] = {}
        self.ended, self.wanted = threading.Event(), threading.Event()
        tasks[self.id] = self
        threading.Thread(target=self.run, daemon=True).start()

    @property
    def wire(self) -> dict[str, Any]:
        times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z"}
        state = {"status": self.status, "statusMessage": self.message, **times}
        return {"taskId": self.id, **state, "ttl": self.call.params["task"]["ttl"], "pollInterval": 100}

    def run(self) -> None:
        given = self.call.arguments
        for step in range(given["steps"]):
            self.message = f"step {step + 1}"
            if self.ended.wait(given["every"]):
                return
        said: Any = "studied"
        if given.get("form"):
            self.status = "input_required"
            self.wanted.wait()
            said = self.call.ask(**QUESTIONS["form"])
        fails, meta = given.get("fail", False), {RELATED: {"taskId": self.id}}
        self.outcome = {**text(said), "_meta": meta, "isError": fails}
        self.status = "failed" if fails else "completed"
        self.ended.set()


tasks: dict[str, Task] = {}


def study(call: Call) -> dict[str, Any]:
    if "task" not in call.params:
        raise Refused(-32601, "It runs as a task only", None)
    return {"task": Task(call).wire}


def found(params: dict[str, Any]) -> Task:
    return tasks[params["taskId"]]


def result(params: dict[str, Any]) -> dict[str, Any]:
    task = found(params)
    task.wanted.set()
    task.ended.wait()
    return task.outcome


def cancel(params: dict[str, Any]) -> dict[str, Any]:
    task = found(params)
    task.status = "cancelled"
    task.ended.set()
    return task.wire


def greeting(params: dict[str, Any]) -> dict[str, Any]:
    answer = asking.greeting(params)
    answer["capabilities"]["tasks"] = {"cancel": {}, "requests": {"tools": {"call": {}}}}
    return answer


def listing(params: dict[str, Any]) -> dict[str, Any]:
    answer = asking.listing(params)
    for tool in answer["tools"]:
        if tool["name"] == "study":
            tool["execution"] = {"taskSupport": "required"}
    return answer


TOOLS |= {"study": study, "statuses": lambda _: text([task.status for task in tasks.values()])}
METHODS |= {
    "initialize": greeting,
    "tools/list": listing,
    "tasks/get": lambda params: found(params).wire,
    "tasks/result": result,
    "tasks/cancel": cancel,
}

if __name__ == "__main__":
    for line in sys.stdin:
        receive(json.loads(line))
