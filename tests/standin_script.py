"""Scripted answers of the stand-in, for tests, and a record of the requests that it got.

PUT /script/{conversation} {"steps": [Step, ...]} sets the steps, of which each request takes the next one.
GET /script/{conversation} returns {"requests": [RecordedRequest, ...], "steps_left"}. A request belongs to
the conversation that its `user`, else its `model`, names; one that belongs to none is answered as usual.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from config.standin import serialization

Endpoint = Callable[[Request], Awaitable[Response]]


class ScriptedCall(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    arguments: dict[str, Any] | str = {}
    """A string is sent as it is, JSON or not."""
    id: str | None = None


class Step(BaseModel):
    """One answer: well-formed from `text` and `tool_calls`, or malformed from `sse`, `body` and `status`."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    tool_calls: list[ScriptedCall] = []
    finish_reason: str = ""
    usage: dict[str, Any] | None = None
    """In place of the estimated one, where the request asks for usage."""
    sse: list[str] | None = None
    """Sent as they are, one write each."""
    status: int = 200
    headers: dict[str, str] = {}
    body: str | None = None
    delay_s: float = 0
    """Before the first byte."""
    chunk_delay_s: float = 0
    """Before each write but the first."""
    cut_after: int | None = None
    """The connection is closed after so many writes, without an end."""
    repeat: bool = False
    """The step answers every request that follows."""


class Script(BaseModel):
    model_config = ConfigDict(extra="forbid")

    steps: list[Step]


@dataclass(slots=True)
class RecordedRequest:
    """One request. `outcome`: waiting, answered, cut (by the script) or disconnected (by the caller)."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float = field(default_factory=time.time)
    outcome: str = "waiting"
    ended_at: float | None = None

    def end(self, outcome: str) -> None:
        self.outcome, self.ended_at = outcome, time.time()


@dataclass(slots=True)
class Conversation:
    steps: list[Step]
    requests: list[RecordedRequest] = field(default_factory=list)

    def next_step(self) -> Step:
        if not self.steps:
            raise ValueError("The script has no step left for this request.")
        return self.steps[0] if self.steps[0].repeat else self.steps.pop(0)


def routes() -> list[Route]:
    return [
        Route("/script/{conversation:path}", _write, methods=["PUT"]),
        Route("/script/{conversation:path}", _read, methods=["GET"]),
    ]


def scripted(unscripted: Endpoint) -> Endpoint:
    """Returns an endpoint that follows the scripts, and for other requests is `unscripted`."""

    async def chat(request: Request) -> Response:
        body = await request.json()
        conversation = _conversation(request, body)
        if conversation is None:
            return await unscripted(request)
        recorded = RecordedRequest(body, dict(request.headers))
        conversation.requests.append(recorded)
        return ScriptedResponse(conversation.next_step(), recorded)

    return chat


def _conversation(request: Request, body: dict[str, Any]) -> Conversation | None:
    conversations: dict[str, Conversation] = request.app.state.conversations
    named = (conversations.get(str(body.get(key))) for key in ("user", "model"))
    return next((each for each in named if each is not None), None)


async def _write(request: Request) -> Response:
    script = Script.model_validate(await request.json())
    request.app.state.conversations[request.path_params["conversation"]] = Conversation(script.steps)
    return JSONResponse({"steps": len(script.steps)}, status_code=201)


async def _read(request: Request) -> Response:
    conversation = request.app.state.conversations.get(request.path_params["conversation"])
    if conversation is None:
        return JSONResponse(serialization.error("There is no such script."), status_code=404)
    requests = [asdict(recorded) for recorded in conversation.requests]
    return JSONResponse({"requests": requests, "steps_left": len(conversation.steps)})


class ScriptedResponse(Response):
    """Sends one step, and records how that ended."""

    def __init__(self, step: Step, recorded: RecordedRequest) -> None:
        is_stream = bool(recorded.body.get("stream")) and step.body is None
        media_type = "text/event-stream" if is_stream else "application/json"
        super().__init__(status_code=step.status, headers={"content-type": media_type} | step.headers)
        del self.headers["content-length"]
        self.step = step
        self.recorded = recorded
        self.writes = list(_stream(step, recorded.body) if is_stream else _whole(step, recorded.body))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _pause(receive, self.step.delay_s)
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await self._send_writes(receive, send)
        except ClientDisconnect:
            self.recorded.end("disconnected")
        except asyncio.CancelledError:
            self.recorded.end("disconnected")
            raise

    async def _send_writes(self, receive: Receive, send: Send) -> None:
        for number, write in enumerate(self.writes):
            if number == self.step.cut_after:
                self.recorded.end("cut")
                return  # without a last message: the server closes the connection
            await _pause(receive, self.step.chunk_delay_s if number else 0)
            await send({"type": "http.response.body", "body": write, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self.recorded.end("answered")


async def _pause(receive: Receive, seconds: float) -> None:
    """Sleep. Raises ClientDisconnect as soon as the caller is gone."""
    if not seconds:
        return
    try:
        message = await asyncio.wait_for(receive(), seconds)
    except TimeoutError:
        return
    if message["type"] == "http.disconnect":
        raise ClientDisconnect


def _stream(step: Step, body: dict[str, Any]) -> Iterable[bytes]:
    if step.sse is not None:
        return (write.encode() for write in step.sse)
    return serialization.events(body, _answer(step))


def _whole(step: Step, body: dict[str, Any]) -> Iterable[bytes]:
    if step.body is not None:
        return [step.body.encode()]
    return [json.dumps(serialization.completion(body, _answer(step))).encode()]


def _answer(step: Step) -> serialization.Answer:
    calls = (
        serialization.Call(call.name, _arguments(call), call.id or serialization.new_call_id())
        for call in step.tool_calls
    )
    return serialization.Answer(step.text, tuple(calls), step.finish_reason, step.usage)


def _arguments(call: ScriptedCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
