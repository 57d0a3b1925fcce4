"""Asking: a call that must be decided about becomes a row, or joins the row of an equal call.

It is bounded, since whoever is asked too often no longer reads: `MOST_OF_A_RUN` questions a run, and
`MOST_WAITING` for each key. Both hold exactly, whichever processes ask: they take turns for each key.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apikeys.principal import Principal
from assistants.actions import approval_moves as moves
from assistants.actions.approval_codes import code_hash, new_code
from assistants.approvals.signatures import signature
from assistants.catalogue import AssistantEntry, FunctionEntry
from assistants.models import Approval, ApprovalState, Approver, RunKind
from assistants.rules import Verdict
from core.actor import Actor
from core.database import in_thread

MOST_OF_A_RUN, MOST_WAITING = 5, 50


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a run of an assistant, or a call over MCP or REST, which may have no assistant.

    `beside`: where an MCP client has tools of several assistants, all of them, this one too; None stands for
    tools without one. `session_opened_at`: of the client's session, seconds since 1970; 0: nobody knows.
    """

    principal: Principal
    run_id: str
    kind: RunKind = RunKind.CHAT
    assistant: AssistantEntry | None = None
    end_user: str = ""
    session: str = ""
    request_id: str = ""
    beside: tuple[AssistantEntry | None, ...] = ()
    session_opened_at: float = 0.0

    @property
    def owner(self) -> str:
        return self.principal.limited_as

    @property
    def actor(self) -> Actor:
        principal = self.principal
        kind, ident = ("key", principal.id) if principal.user_id is None else ("staff", principal.user_id)
        return Actor(kind, principal.name, ident, self.request_id)


@dataclass(frozen=True, slots=True)
class Question:
    """A call that somebody must decide about; `arguments` as they would be sent, so masked where a rule says.

    `transcript` is the digest of the conversation that asks, "" outside of chats. `touched`: its labels.
    """

    asker: Asker
    function: FunctionEntry
    arguments: dict[str, Any] = field(repr=False)
    verdict: Verdict
    transcript: str = ""
    touched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ticket:
    """`number` is public. `code` is for the caller alone, who decides by it; it is stored nowhere."""

    number: int
    approver: Approver
    code: str = field(default="", repr=False)
    is_joined: bool = field(default=False, compare=False)
    """Whether an equal call waited already: then this one is not made."""


class TooManyWaiting(Exception):
    """Nobody is asked: too much waits already. Its text is for the model."""


@in_thread
@transaction.atomic
def ask(question: Question) -> Ticket:
    """Asks, or joins the row of an equal call. Raises TooManyWaiting."""
    asker = question.asker
    _take_turns(asker.owner)
    row = _equal(question)
    is_joined = row is not None
    if row is None:
        _require_few(asker)
        row = _new(question)
        row.save(force_insert=True)
        moves.asked(row, by=asker.actor)
    elif _is_stricter(question, row):
        Approval.objects.waiting().filter(pk=row.pk).update(approver=Approver.STAFF, code_hash="")
        row.approver = Approver.STAFF
    return _ticket(row, is_joined=is_joined)


def _take_turns(owner: str) -> None:
    """Has whoever else asks for this owner wait until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('assistants.approvals'), hashtext(%s))", [owner]
        )


def _equal(question: Question) -> Approval | None:
    """Returns the row of an equal call that is not over, or whose outcome has not been delivered."""
    asker = question.asker
    rows = Approval.objects.joinable().filter(
        owner=asker.owner,
        signature=signature(question.function, question.arguments),
        end_user=asker.end_user,
        assistant=asker.assistant.id if asker.assistant else None,
        transcript=question.transcript,
    )
    return rows.order_by("-pk").first()


def _is_stricter(question: Question, row: Approval) -> bool:
    """Returns whether staff must decide now, where the caller could."""
    return question.verdict.approver == Approver.STAFF and row.approver == Approver.CALLER


def _require_few(asker: Asker) -> None:
    rows = Approval.objects.filter(owner=asker.owner)
    if rows.filter(run_id=asker.run_id).count() >= MOST_OF_A_RUN:
        raise TooManyWaiting(
            f"Not called: people were asked about {MOST_OF_A_RUN} calls of this answer already. "
            "Tell the user what waits, and make no more calls that must be approved."
        )
    if rows.waiting().count() >= MOST_WAITING:
        raise TooManyWaiting(
            f"Not called: {MOST_WAITING} calls wait for approval already. "
            "Tell the user that they must be decided about first."
        )


def _new(question: Question) -> Approval:
    asker, function, verdict = question.asker, question.function, question.verdict
    principal, is_key = asker.principal, asker.principal.user_id is None
    return Approval(
        approver=verdict.approver,
        rule_id=verdict.rule_id,
        rule_name=verdict.rule_name,
        kind=asker.kind,
        owner=asker.owner,
        api_key_id=principal.id if is_key else None,
        api_key_name=principal.name if is_key else "",
        key_prefix=principal.key_prefix,
        username="" if is_key else principal.name,
        end_user=asker.end_user,
        assistant_id=asker.assistant.id if asker.assistant else None,
        assistant_slug=asker.assistant.slug if asker.assistant else "",
        session=asker.session,
        run_id=asker.run_id,
        mcp_tool_id=function.server_id,
        server=function.server_name,
        function=function.name,
        public_name=function.public_name,
        arguments=question.arguments,
        definition_hash=function.definition_hash,
        generation=function.generation,
        transcript=question.transcript,
        signature=signature(function, question.arguments),
        touched=sorted(question.touched),
        expires_at=timezone.now() + timedelta(hours=settings.APPROVAL_DUE_H),
    )


def _ticket(row: Approval, *, is_joined: bool) -> Ticket:
    if row.approver != Approver.CALLER or row.state != ApprovalState.WAITING:
        return Ticket(row.pk, Approver(row.approver), is_joined=is_joined)
    # A joined row gets a new code: the one before was in an answer that its caller may not have read.
    code = new_code()
    Approval.objects.waiting().filter(pk=row.pk).update(code_hash=code_hash(code))
    return Ticket(row.pk, Approver.CALLER, code, is_joined)
