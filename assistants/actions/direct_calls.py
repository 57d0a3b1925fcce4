"""What the rules make of direct calls: of staff in the inspector, and of managing keys over REST.

The rules for all calls count, and those of the key; there is no assistant and no conversation. Nobody is
asked: whoever may decide about calls has decided by making one, and whoever may not is refused.
"""

from typing import Any

from django.utils.translation import gettext as _

from apikeys.principal import Principal
from assistants import rules
from assistants.actions.approval_rights import may_agree
from assistants.catalogue import cache
from assistants.models import Effect
from assistants.rules import Call
from connector.client.direct_calls import Refused
from tools.models import ToolFunction


def judged(function: ToolFunction, arguments: dict[str, Any], caller: Principal) -> dict[str, Any]:
    """Returns the arguments, masked where a rule says so. Raises Refused."""
    ruleset = rules.of_sync(None, caller.id)
    if ruleset.is_empty:
        return arguments
    entry = cache.registered(function.server_id, function.name)
    if entry is None:
        raise Refused(_("The server does not offer this tool any more."), "function_removed")
    verdict = ruleset.judge(
        Call(entry, arguments, caller, assistant_slug="", end_user="", touched=frozenset())
    )
    if verdict.effect == Effect.DENY:
        reason = verdict.reason or _("it gives no reason.")
        told = _("The rule “%(rule)s” forbids this call: %(reason)s")
        raise Refused(told % {"rule": verdict.rule_name, "reason": reason}, "denied_by_rule")
    if verdict.effect == Effect.ASK and not may_agree(caller):
        raise Refused(_unasked(caller) % {"rule": verdict.rule_name}, "approval_required")
    return dict(verdict.arguments)


def _unasked(caller: Principal) -> str:
    if caller.user_id is not None:
        return _(
            "The rule “%(rule)s” wants somebody to agree to this call, and you may not decide about calls."
        )
    return _(
        "The rule “%(rule)s” wants somebody to agree to this call, and this API key may not decide about"
        " calls: let staff make it in the inspector, or use a key with the permission can_approve."
    )
