"""Edited arguments of a call: they must fit its schema, and the rules are asked about them again."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from rest_framework.exceptions import APIException

from apikeys.principal import Principal
from assistants import rules
from assistants.actions import approval_covers as covers
from assistants.catalogue import cache
from assistants.catalogue.entries import FunctionEntry
from assistants.models import Approval, Effect
from assistants.rules import Call, Verdict
from core.errors import Conflict
from tools.arguments import checked_here


class Denied(APIException):
    """403: the rules forbid the call with these arguments."""

    status_code = 403
    default_code = "denied_by_rule"

    def __init__(self, verdict: Verdict) -> None:
        reason = verdict.reason or gettext("it gives no reason.")
        message = gettext("The rule “%(rule)s” forbids the call with these arguments: %(reason)s")
        super().__init__(message % {"rule": verdict.rule_name, "reason": reason})


def edited(approval: Approval, arguments: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    """Returns the arguments to send: masked where a rule says so, even what a person wrote.

    Raises ValidationError, InvalidArguments, Denied, and Conflict where the tool is gone.
    """
    function = function_of(approval)
    if function is None:
        raise Conflict(gettext("The tool is not offered any more."), "tool_gone")
    written = covers.uncovered(dict(arguments), approval.arguments)
    fitting = checked_here(function.input_schema, written)
    verdict = judged(approval, function, fitting, principal)
    if verdict.effect == Effect.DENY:
        raise Denied(verdict)
    return dict(verdict.arguments)


def function_of(approval: Approval) -> FunctionEntry | None:
    """Returns the function as it is offered now; None where it is not."""
    return cache.function_of(approval.mcp_tool_id or 0, approval.function)


def judged(
    approval: Approval, function: FunctionEntry, arguments: Mapping[str, Any], principal: Principal
) -> Verdict:
    """Returns what the rules make of the call now, in the conversation that asked about it."""
    ruleset = rules.of_sync(approval.assistant_id, principal.id)
    call = Call(
        function=function,
        arguments=arguments,
        principal=principal,
        assistant_slug=approval.assistant_slug,
        end_user=approval.end_user,
        touched=frozenset(approval.touched),
    )
    return ruleset.judge(call)
