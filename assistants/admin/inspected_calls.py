"""What the rules make of calls in the inspector, whose caller is the member of staff before it.

The rules for all calls count: there is no key and no assistant. Nobody is asked: whoever may decide about
calls has decided by making one, and whoever may not is refused.
"""

from typing import Any

from django.utils.translation import gettext as _

from apikeys.principal import Limits, Principal
from assistants import rules
from assistants.actions.approval_rights import may_decide
from assistants.catalogue import cache
from assistants.models import Effect
from assistants.rules import Call
from connector.admin import inspection
from connector.admin.inspection import Refused
from core.actor import Actor
from tools.models import ToolFunction

_CALLS = "tools.call_toolfunction"


def judged(function: ToolFunction, arguments: dict[str, Any], by: Actor) -> dict[str, Any]:
    """Returns the arguments, masked where a rule says so. Raises Refused."""
    ruleset = rules.of_sync(None, 0)
    entry = None if ruleset.is_empty else cache.function_of(function.server_id, function.name)
    if entry is None:  # whether the tool is offered was checked before
        return arguments
    person = Principal.of_user(by.id or 0, by.name, _CALLS, Limits())
    call = Call(entry, arguments, person, assistant_slug="", end_user="", touched=frozenset())
    verdict = ruleset.judge(call)
    named = {"rule": verdict.rule_name}
    if verdict.effect == Effect.DENY:
        reason = verdict.reason or _("it gives no reason.")
        raise Refused(_("The rule “%(rule)s” forbids this call: %(reason)s") % {**named, "reason": reason})
    if verdict.effect == Effect.ASK and not may_decide(by):
        told = _(
            "The rule “%(rule)s” wants somebody to agree to this call, and you may not decide about calls."
        )
        raise Refused(told % named)
    return dict(verdict.arguments)


inspection.judged_by(judged)
