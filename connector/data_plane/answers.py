"""The answer to one request of the data plane: messages before the last one, and the last. See
`data_plane.server`.
"""

import logging
from collections import deque
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any

import orjson

from connector.errors import AskedBack, CallFailed, ServerError
from connector.host import clock
from connector.wire.channel import Channel
from connector.wire.frames import INTERIM
from connector.wire.results import Progress
from core import repaired_json
from core.message import Message, stored

log = logging.getLogger(__name__)

PROGRESS_A_SECOND = 10
"""Progress that is passed on to the caller; what a server reports beyond it is dropped."""
MOST_WAITING = 256


class Answer:
    """What a caller is told before the result."""

    def __init__(self, channel: Channel, request: int) -> None:
        self._channel = channel
        self._request = request
        self._progressed: deque[float] = deque(maxlen=PROGRESS_A_SECOND)

    def progress(self, progress: Progress) -> None:
        now = clock()
        if len(self._progressed) == PROGRESS_A_SECOND and now - self._progressed[0] < 1:
            return
        self._progressed.append(now)
        self.interim({"progress": asdict(progress)})

    def log(self, params: dict[str, Any]) -> None:
        self.interim({"log": params})

    def elicited(self, params: dict[str, Any]) -> None:
        self.interim({"elicited": params})

    def interim(self, message: dict[str, Any]) -> None:
        """Sends a message before the result. It is dropped where the caller does not read as fast."""
        if self._channel.waiting(self._request) < MOST_WAITING:
            self._channel.send(INTERIM, self._request, _json(message))


async def outcome(work: Awaitable[Any]) -> bytes:
    """Returns the last message: the result of `work`, or the error that it raises."""
    try:
        return _json({"result": await work})
    except CallFailed as failure:
        return failed(failure)
    except ServerError as error:
        told = {"code": error.code, "message": error.message, "data": error.data}
        return _json({"server_error": told})
    except AskedBack as asked:
        call = {"slot": asked.slot, "fence": asked.fence, "call": asked.call}
        return _json({"asked": {"requests": asked.requests, **call}})
    # The boundary of a request: what fails in it by our fault must not end the others of the connection.
    except Exception:
        log.exception("A request to this worker failed.")
        return failed(CallFailed("session_lost", Message("The worker failed during the call.")))


def failed(failure: CallFailed) -> bytes:
    """Returns the last message of a request that is not done."""
    return orjson.dumps({"error": {"code": failure.code, **stored(failure.message)}})


def _json(message: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(message)
    except orjson.JSONEncodeError:  # a server's whole number of more than 64 bits, say
        return orjson.dumps(repaired_json.repaired(message))
