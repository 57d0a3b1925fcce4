"""Why a remote server cannot be reached, said for people."""

import socket
import ssl
from collections.abc import Iterator
from itertools import islice

from core.message import Message

_MOST_CAUSES = 50
"""Errors that were raised from each other may go round in a circle."""


def unreachable(server: str, error: BaseException | None) -> Message:
    """Returns a sentence about `server`. No error's own text is in it: that may hold a URL with secrets."""
    causes = tuple(islice(_causes(error), _MOST_CAUSES))
    if _has(causes, socket.gaierror):
        return Message("%(server)s cannot be reached: its name is not known.", server=server)
    if _has(causes, ConnectionRefusedError):
        return Message("%(server)s cannot be reached: it refuses connections.", server=server)
    if _has(causes, ssl.SSLCertVerificationError):
        return Message("%(server)s cannot be reached: its certificate is not trusted.", server=server)
    name = f" ({type(error).__name__})" if error is not None else ""
    return Message("%(server)s cannot be reached%(error)s.", server=server, error=name)


def _has(causes: tuple[BaseException, ...], kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in causes)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, what it was raised from, and what is in groups: one for each address of a name."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__
