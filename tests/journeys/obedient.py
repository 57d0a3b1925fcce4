"""A model that does whatever any text tells it to: `[[tool {"argument": "value"}]]` is an order.

It follows each order once, in the order in which the conversation gives them, whoever says them: a user, a
mail, the result of a tool, itself. `{{...}}` around an order has it said in the answer: so it is followed in
the next turn.
"""

import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_ORDER = re.compile(r"(\{\{)?\[\[(\w+) (\{.*?\})\]\]")


def next_step(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns what the model says to a conversation."""
    said = [index for index, each in enumerate(messages) if _is_answer(each)]
    answered = said[-1] if said else 0
    # What was asked before its last answer has been done; what the answer itself says has not.
    orders = [
        order
        for index, message in enumerate(messages)
        if index >= answered or _is_answer(message)
        for order in _ORDER.finditer(str(message.get("content") or ""))
    ]
    done = {_order(call["function"]["name"], call["function"]["arguments"]) for call in _calls(messages)}
    for found in orders:
        if not found[1] and _order(found[2], found[3]) not in done:
            function = {"name": found[2], "arguments": found[3]}
            call = {"index": 0, "id": f"call_{uuid.uuid4().hex}", "type": "function", "function": function}
            return {"role": "assistant", "tool_calls": [call]}
    later = [f"[[{found[2]} {found[3]}]]" for found in orders if found[1]]
    return {"role": "assistant", "content": " ".join(["Done.", *dict.fromkeys(later)])}


def _is_answer(message: dict[str, Any]) -> bool:
    return bool(message["role"] == "assistant" and not message.get("tool_calls"))


def _calls(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        yield from message.get("tool_calls") or ()


def _order(name: str, arguments: str) -> tuple[str, str]:
    return name, json.dumps(json.loads(arguments), sort_keys=True)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        delta = next_step(body["messages"])
        reason = "tool_calls" if "tool_calls" in delta else "stop"
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        chunks = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        ]
        text = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def obedient_model(port: int) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}/v1"
    server.shutdown()
    server.server_close()
