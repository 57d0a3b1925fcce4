"""Who answers in a session: what was chosen for one holds, on whichever web process it goes on."""

import logging

from assistants.models import Conversation
from core.database import DATABASE_ERRORS, in_thread
from core.feed import FeedCache

log = logging.getLogger(__name__)

Session = tuple[int, str]
"""A key's id, and its caller's name for the session."""


async def answering(api_key_id: int, session_id: str) -> int | None:
    """The id of the assistant that answered last. The database is asked once; without it, nobody did."""
    try:
        return await _answering.get((api_key_id, session_id))
    except DATABASE_ERRORS as error:
        log.warning("Who answered in a session cannot be read: %s", type(error).__name__)
        return None


def remember(api_key_id: int, session_id: str, assistant_id: int) -> None:
    _answering.put((api_key_id, session_id), assistant_id)


@in_thread
def _load(session: Session) -> int | None:
    rows = Conversation.objects.filter(api_key_id=session[0], external_id=session[1])
    return rows.values_list("assistant_id", flat=True).first()


_answering: FeedCache[Session, int | None] = FeedCache(_load, (), maxsize=10_000)
