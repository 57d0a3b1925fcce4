"""Server-sent events (WHATWG HTML, section 9.2) as LLM APIs use them: the payloads of `data:` lines."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator

from assistants.errors import UpstreamFailed

MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_STREAM_BYTES = 64 * 1024 * 1024
_FIELD = b"data:"


async def payloads(chunks: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes], None]:
    """The payloads that each chunk completes, never an empty list, in time linear in the bytes.

    A line is a payload: LLM APIs write one line an event. Comments and other fields are skipped. Raises
    UpstreamFailed beyond MAX_EVENT_BYTES in a line or MAX_STREAM_BYTES in all.
    """
    parts: list[bytes] = []
    waiting = total = 0
    async for chunk in chunks:
        total += len(chunk)
        head, newline, tail = chunk.rpartition(b"\n")
        waiting += len(chunk)
        if waiting > MAX_EVENT_BYTES or total > MAX_STREAM_BYTES:
            raise UpstreamFailed("upstream_invalid_response", "The language model's answer is too large.")
        if not newline:
            parts.append(chunk)
            continue
        if complete := list(_payloads(b"".join([*parts, head]))):
            yield complete
        parts, waiting = [tail], len(tail)
    if complete := list(_payloads(b"".join(parts))):
        yield complete


def _payloads(text: bytes) -> Iterator[bytes]:
    for line in text.split(b"\n"):
        if line.startswith(_FIELD) and (payload := line[len(_FIELD) :].strip()):
            yield payload
