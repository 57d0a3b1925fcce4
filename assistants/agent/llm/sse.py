"""A decoder of server-sent events (WHATWG HTML, section 9.2) as LLM services use them."""

from collections.abc import Iterator

from assistants.errors import UpstreamFailed
from core.message import Message

MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_STREAM_BYTES = 64 * 1024 * 1024
_FIELD = b"data:"


class Decoder:
    """Turns the bytes of a stream into the payloads of its `data:` lines, in time linear in the bytes.

    Each line is one payload, although the standard joins the lines of an event: LLM services write one line
    an event, and some forget the empty line between two. Comments and other fields are skipped.
    """

    def __init__(self) -> None:
        # Parts of a line are joined once, at its end: one long line in many chunks would be quadratic
        # otherwise.
        self._parts: list[bytes] = []
        self._waiting = self._total = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the payloads that `chunk` completes.

        Raises UpstreamFailed beyond MAX_EVENT_BYTES in a line or MAX_STREAM_BYTES in all.
        """
        self._total += len(chunk)
        self._waiting += len(chunk)
        if self._waiting > MAX_EVENT_BYTES or self._total > MAX_STREAM_BYTES:
            raise UpstreamFailed(
                "upstream_invalid_response", Message("The language model's answer is too large.")
            )
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            self._parts.append(chunk)
            return []
        payloads = list(_payloads(b"".join([*self._parts, head])))
        self._parts, self._waiting = [tail], len(tail)
        return payloads

    def end(self) -> list[bytes]:
        """Returns what the stream ended with: a last line may lack its end."""
        return list(_payloads(b"".join(self._parts)))


def _payloads(text: bytes) -> Iterator[bytes]:
    for line in text.split(b"\n"):
        if line.startswith(_FIELD) and (payload := line[len(_FIELD) :].strip()):
            yield payload
