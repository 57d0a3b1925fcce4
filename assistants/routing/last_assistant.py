"""The assistant that answered last in a session: `auto` routes it there, in whichever web process."""

import logging

from assistants.models import Conversation
from core.database import DATABASE_ERRORS, in_thread
from core.feed import FeedCache

log = logging.getLogger(__name__)

Session = tuple[int, str]
"""The id of an API key, and its caller's name for the session."""


async def find(api_key_id: int, session_id: str) -> int | None:
    """Returns the id of the assistant that answered last in the session, or None.

    The database is asked once per session and process; while it is away the answer is None.
    """
    try:
        return await _last_assistants.get((api_key_id, session_id))
    except DATABASE_ERRORS as error:
        log.warning("Who answered in a session cannot be read: %s", type(error).__name__)
        return None


def remember(api_key_id: int, session_id: str, assistant_id: int) -> None:
    """Sets the assistant of a session in this process: the row is written only after the run has begun."""
    _last_assistants.put((api_key_id, session_id), assistant_id)


@in_thread
def _load(session: Session) -> int | None:
    rows = Conversation.objects.filter(api_key_id=session[0], external_id=session[1])
    return rows.order_by("pk").values_list("assistant_id", flat=True).first()


_last_assistants: FeedCache[Session, int | None] = FeedCache(
    _load, ["assistants_conversation"], maxsize=10_000
)
