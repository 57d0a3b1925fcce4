"""Requests during which the server asks back: the state between two rounds, what is asked and answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing

from connector.errors import CallFailed, InvalidState, ServerError
from connector.wire.asking import INSECURE_URL, is_safe_url, problem
from core.message import Message

URL_ELICITATION_REQUIRED = -32042
_SALT = "connector.client.round_trips"


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The server asks back before it answers: send the request again, with `state` and the responses.

    `requests`: `{name: {"method": .., "params": ..}}` as wire JSON. `state` is opaque.
    Source: MCP 2026-07-28, multi round-trip requests.
    """

    requests: Mapping[str, Any]
    state: str


@dataclass(frozen=True, slots=True)
class State:
    """`parked`: the slot, the fence and the name of a call that waits in a worker.

    Else the server is stateless, and `of_server` is its own state, perhaps none.
    """

    parked: tuple[int, int, str] | None = None
    of_server: str | None = None


def sealed(state: State, server_id: int, key_id: int) -> str:
    """Returns a state that only the holder of the key can send, and only to this server."""
    return signing.dumps([server_id, key_id, state.parked, state.of_server], salt=_SALT)


def opened(text: str, server_id: int, key_id: int) -> State:
    """Raises InvalidState for a state that is not of this server and key."""
    try:
        # A later release may have put more behind them.
        for_server, for_key, parked, of_server, *_ = signing.loads(text, salt=_SALT)
    except signing.BadSignature as error:
        raise InvalidState(Message("The state of the request is not valid.")) from error
    if (for_server, for_key) != (server_id, key_id):
        raise InvalidState(Message("The state of the request is of another server or API key."))
    return State(tuple(parked) if parked else None, of_server)


def require_askable(requests: Mapping[str, Any], capabilities: Mapping[str, Any]) -> None:
    """Raises CallFailed `refused` where the client cannot be asked what a server asks."""
    for request in requests.values():
        asked = request if isinstance(request, Mapping) else {}
        params = asked.get("params")
        told = problem(str(asked.get("method")), params if isinstance(params, Mapping) else {}, capabilities)
        if told:
            raise CallFailed("refused", told)


def require_safe(error: ServerError) -> None:
    """Raises CallFailed for an error that sends a person to a URL by http.

    Source: MCP 2025-11-25, client/elicitation, URLElicitationRequiredError.
    """
    data = error.data if error.code == URL_ELICITATION_REQUIRED else None
    asked = data.get("elicitations") if isinstance(data, Mapping) else None
    for each in asked if isinstance(asked, list) else []:
        if not isinstance(each, Mapping) or not is_safe_url(each.get("url")):
            raise CallFailed("refused", INSECURE_URL)


def outcome(result: dict[str, Any], server_id: int, key_id: int) -> dict[str, Any] | InputRequired:
    """Returns a server's result without its `resultType`, or what a stateless server asks back.

    Raises CallFailed `invalid_result` for another kind.
    """
    kind = result.pop("resultType", "complete")
    if kind == "complete":
        return result
    if kind == "input_required":
        state = State(of_server=result.get("requestState"))
        return InputRequired(result.get("inputRequests") or {}, sealed(state, server_id, key_id))
    raise CallFailed("invalid_result", Message("The server's answer is of a kind that is not supported."))


def continued(
    params: Mapping[str, Any], state: State | None, responses: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Returns the params of a request's next round. A parked call has them, and is given the responses alone.

    Raises CallFailed where the client refused and no result says that.
    """
    if state is not None and state.parked is not None:
        return params
    if state is None and not responses:
        return params
    # A stateless server knows nothing of the round before: it gets the whole request again. A client may
    # even answer before it is asked.
    more = {"requestState": state.of_server} if state is not None and state.of_server is not None else {}
    return {**params, "inputResponses": _results(responses or {}), **more}


def _results(responses: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the client's responses for a stateless server, which knows results only."""
    return {name: _result(response) for name, response in responses.items()}


def _result(response: Any) -> Any:
    error = response.get("error") if isinstance(response, Mapping) else None
    if not isinstance(error, Mapping):
        return response
    said = str(error.get("message"))[:200]
    raise CallFailed("refused", Message("The client did not answer the server: %(error)s", error=said))
