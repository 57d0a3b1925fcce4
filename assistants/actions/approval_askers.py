"""Those who asked about calls: whether they may still make them."""

from collections.abc import Collection

from django.contrib.auth.models import User

from apikeys import authentication
from apikeys.principal import Limits, Principal
from assistants.models import Approval, Assistant
from core.errors import Conflict
from core.message import Message

CHATS = "assistants.chat_assistant"
KEY_GONE = Message("The API key that asked is disabled, expired or deleted.")
MAY_NOT_CALL = Message("The API key that asked may not call assistants any more.")
PERSON_GONE = Message("The member of staff who asked may not chat any more.")
ASSISTANT_GONE = Message("The assistant that asked is off or deleted.")
NOT_GRANTED = Message("The API key that asked may not call the assistant any more.")


class Askers:
    """Those who asked about these calls, as they are now: read at once, however many there are."""

    def __init__(self, approvals: Collection[Approval]) -> None:
        keys = {each.asking_key_id for each in approvals} - {None}
        people = {each.asking_user_id for each in approvals} - {None}
        assistants = {each.assistant_id or 0 for each in approvals}
        self._keys = authentication.usable([each for each in keys if each is not None])
        self._people = User.objects.filter(is_active=True, is_staff=True).in_bulk(list(people))
        enabled = Assistant.objects.filter(pk__in=assistants, is_enabled=True)
        self._enabled = set(enabled.values_list("pk", flat=True))
        grants = Assistant.api_keys.through.objects.filter(assistant__in=self._enabled, apikey__in=self._keys)
        self._granted = set(grants.values_list("assistant_id", "apikey_id"))

    def principal(self, approval: Approval) -> Principal:
        """Returns the principal of who asked. Raises KeyError where it is gone."""
        if approval.asking_key_id is not None:
            return self._keys[approval.asking_key_id]
        person = self._people[approval.asking_user_id or 0]
        return Principal.of_user(person.pk, person.get_username(), CHATS, Limits())

    def why_gone(self, approval: Approval) -> Message | None:
        """Returns why the call may not be made for them any more; None if it may."""
        problem = self._why_not_asker(approval)
        if problem is None and approval.assistant_slug:
            problem = self._why_not_assistant(approval)
        return problem

    def _why_not_asker(self, approval: Approval) -> Message | None:
        if approval.asking_key_id is None:
            person = self._people.get(approval.asking_user_id or 0)
            return None if person is not None and person.has_perm(CHATS) else PERSON_GONE
        key = self._keys.get(approval.asking_key_id)
        if key is None:
            return KEY_GONE
        # Without an assistant a server is asked at its own endpoint, by a key that manages.
        may_call = key.can_call_assistant if approval.assistant_slug else key.can_manage
        return None if may_call else MAY_NOT_CALL

    def _why_not_assistant(self, approval: Approval) -> Message | None:
        if approval.assistant_id not in self._enabled:
            return ASSISTANT_GONE
        is_key = approval.asking_key_id is not None
        is_granted = (approval.assistant_id, approval.asking_key_id) in self._granted
        return NOT_GRANTED if is_key and not is_granted else None


def require_asker(approval: Approval) -> Principal:
    """Returns the principal of who asked. Raises Conflict if they may not make the call any more."""
    askers = Askers([approval])
    if reason := askers.why_gone(approval):
        raise Conflict(reason.said(), "asker_gone")
    return askers.principal(approval)
