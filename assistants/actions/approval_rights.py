"""Who may decide about a call."""

from django.contrib.auth.models import User
from django.db import connection
from django.utils.translation import gettext
from rest_framework.exceptions import PermissionDenied

from apikeys.models import ApiKey
from apikeys.principal import Principal
from assistants.models import Approval
from core.actor import Actor

PERMISSION = "assistants.decide_approval"

# Keys that made one another, or gave one another a new secret: whoever holds one may hold the others.
_KIN = """
    WITH RECURSIVE kin (id) AS (
        SELECT %s::bigint
        UNION
        SELECT CASE WHEN actor_id = kin.id THEN object_id ELSE actor_id END
        FROM apikeys_auditentry JOIN kin ON kin.id IN (actor_id, object_id)
        WHERE actor_kind = 'key' AND object_kind = 'API key' AND action IN ('created', 'rotated')
    )
    SELECT id FROM kin
"""


class Forbidden(PermissionDenied):
    """403: who asks may not decide about this call."""

    default_code = "may_not_approve"


def require_decider(approval: Approval, by: Actor) -> None:
    """Raises Forbidden unless they may decide: staff with the right, or an unrelated key that may approve."""
    if problem := why_not(approval, by):
        raise Forbidden(problem)


def why_not(approval: Approval, by: Actor) -> str:
    """Returns why they may not decide about the call, for people; "" if they may."""
    if by.kind == "staff":
        return _why_not_staff(by)
    if by.kind != "key":
        return gettext(
            "People decide about calls: members of staff, or programs with a key that may approve."
        )
    return _why_not_key(approval, by)


def may_agree(caller: Principal) -> bool:
    """Returns whether who makes a call outside of chats needs nobody else to agree to it."""
    return caller.can_approve if caller.user_id is None else _staff_may(caller.user_id)


def _staff_may(user_id: int) -> bool:
    person = User.objects.filter(pk=user_id, is_active=True, is_staff=True).first()
    return person is not None and person.has_perm(PERMISSION)


def _why_not_staff(by: Actor) -> str:
    if not _staff_may(by.id or 0):
        return gettext("You may not decide about calls: operators and managers may.")
    return ""


def _why_not_key(approval: Approval, by: Actor) -> str:
    key = ApiKey.objects.usable().filter(pk=by.id or 0).only("can_approve").first()
    if key is None or not key.can_approve:
        return gettext(
            "This API key may not decide about calls: use one with the permission can_approve,"
            " which a manager sets in the console."
        )
    asking = approval.asking_key_id
    if asking == by.id:
        return gettext("An API key may not decide about its own calls: use another one.")
    if asking is not None and by.id in _kin(asking):
        return gettext(
            "This API key and the one that asked made one another, or gave one another a new secret:"
            " use an unrelated one."
        )
    return ""


def _kin(key_id: int) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(_KIN, [key_id])
        return {row[0] for row in cursor.fetchall()}
