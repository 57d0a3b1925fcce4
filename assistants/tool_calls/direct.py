"""What passes direct calls: of staff in the inspector, and of managing keys over REST. See `Guard`.

They pass the gate of all calls. The rules for all calls count, and those of the key; there is no assistant
and no conversation. Nobody is asked: whoever may decide about calls has decided by making one, and whoever
may not is refused. Secrets are masked where any assistant that uses the server has them masked.
"""

from typing import Any

from django.utils.translation import gettext as _

from apikeys.principal import Principal
from assistants import filtering, rules
from assistants.actions.approval_rights import may_agree
from assistants.approvals import Asker, Asking, Gate
from assistants.approvals import Refused as RefusedByGate
from assistants.catalogue import cache, masking
from assistants.models import RunKind
from connector.client.direct_calls import Admitted, Refused
from connector.client.waiting import awaited
from connector.wire.results import CallResult
from tools.models import ToolFunction


def admitted(function: ToolFunction, arguments: dict[str, Any], caller: Principal) -> Admitted:
    """Returns how the call may be made: masked where a rule says so. Raises Refused."""
    entry = cache.registered(function.server_id, function.name)
    if entry is None:
        raise Refused(_("The server does not offer this tool any more."), "function_removed")
    gate = Gate(Asker(caller, run_id="", kind=RunKind.REST), rules.of_sync(None, caller.id))
    passage = awaited(gate.admit(entry, arguments))
    if isinstance(passage, RefusedByGate):
        raise _refused(passage)
    if isinstance(passage, Asking) and not may_agree(caller):
        raise Refused(_unasked(caller) % {"rule": passage.verdict.rule_name}, "approval_required")

    async def passed_on(result: CallResult) -> CallResult:
        return await gate.released(entry, result)

    return Admitted(passage.arguments, passed_on)


async def released(server_id: int, read: dict[str, Any]) -> dict[str, Any]:
    """Returns contents of a resource, or messages of a prompt, as they may be seen. Raises Refused."""
    if not await masking.masks_secrets(server_id, [None]):
        return read
    masked = await filtering.read_without_secrets(read)
    if masked is None:
        raise Refused(_("It is too long to be looked through for secrets."))
    return masked


def _refused(by_gate: RefusedByGate) -> Refused:
    verdict = by_gate.verdict
    if verdict is None:
        return Refused(by_gate.reason, by_gate.code)
    reason = verdict.reason or _("it gives no reason.")
    told = _("The rule “%(rule)s” forbids this call: %(reason)s")
    return Refused(told % {"rule": verdict.rule_name, "reason": reason}, by_gate.code)


def _unasked(caller: Principal) -> str:
    if caller.user_id is not None:
        return _(
            "The rule “%(rule)s” wants somebody to agree to this call, and you may not decide about calls."
        )
    return _(
        "The rule “%(rule)s” wants somebody to agree to this call, and this API key may not decide about"
        " calls: let staff make it in the inspector, or use a key with the permission can_approve."
    )
