"""The gate: what the rules make of each call of a run, or of one call over MCP or REST. From memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from assistants import filtering, rules
from assistants.approvals import codes
from assistants.approvals.asking import Asker, Question
from assistants.approvals.touched import Past, Touched
from assistants.catalogue import FunctionEntry, masking
from assistants.events import RunEvent
from assistants.models import Approver, Effect
from assistants.rules import Call, RuleSet, Verdict
from connector.wire.results import CallResult
from tools.arguments import InvalidArguments, checked

Requirement = Callable[[FunctionEntry], Effect | None]
"""What the caller itself requires beside the rules: None, or Effect.ASK (see `require_approval`)."""
Result = TypeVar("Result", CallResult, dict[str, Any])
UNFITTING = (
    "Not called: this installation's filter changed the arguments, and they do not fit the tool any more."
)
_FORGETFUL = "Not called: what this conversation touches cannot be remembered now. Try again later."


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may be made at once, with these arguments."""

    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The call must not be made. `reason` is told to the model. `verdict`: of the rules, if they deny it.

    `code`: one of `codes`.
    """

    reason: str
    verdict: Verdict | None = None
    code: str = codes.DENIED


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody must be asked first: `Gate.question` makes the question."""

    verdict: Verdict
    arguments: dict[str, Any]
    touched: frozenset[str] = frozenset()
    """What the conversation had touched before this call."""


class Gate:
    """Judges the calls of one run."""

    def __init__(
        self,
        asker: Asker,
        ruleset: RuleSet,
        touched: Touched | None = None,
        requirement: Requirement | None = None,
    ) -> None:
        self._asker, self._ruleset = asker, ruleset
        self._touched, self._requirement = touched, requirement

    @classmethod
    async def of(
        cls, asker: Asker, *, past: Past | None = None, requirement: Requirement | None = None
    ) -> Self:
        """Returns the gate of a run that goes on from `past`, or of one call. Redis is asked where rules
        read what was touched.
        """
        ruleset = await rules.of(asker.assistant.id if asker.assistant else None, asker.principal.id)
        return cls(asker, ruleset, await Touched.of(asker, past), requirement)

    async def on_event(self, event: RunEvent) -> None:
        """Observes the run, whose answer says how its conversation is recognised when it goes on."""
        if self._touched is not None:
            await self._touched.on_event(event)

    async def admit(
        self, function: FunctionEntry, arguments: Mapping[str, Any]
    ) -> Admitted | Refused | Asking:
        """Judges a call whose arguments fit the tool's schema. It asks the database nothing.

        The external filter, if there is one, comes before the last word of the rules.
        """
        verdict = self._judged(function, arguments)
        if verdict.effect != Effect.DENY:
            try:
                filtered = await filtering.filter_call(function, arguments, self._about)
                if filtered != arguments:
                    verdict = self._judged(function, await checked(function.input_schema, dict(filtered)))
            except filtering.FilterRefused as refused:
                return Refused(f"Not called: {refused}", code=codes.FILTERED)
            except InvalidArguments:
                return Refused(UNFITTING, code=codes.FILTERED)
        given = dict(verdict.arguments)
        match verdict.effect:
            case Effect.DENY:
                return Refused(refusal(verdict), verdict)
            case Effect.ASK:
                passage: Admitted | Asking = Asking(verdict, given, self._labels)
            case _:
                passage = Admitted(given)
        # Before the call: its error may bring in foreign text, too, and another call be judged meanwhile.
        if self._touched is not None and not await self._touched.note(function.labels):
            return Refused(_FORGETFUL)
        return passage

    async def released(self, function: FunctionEntry, result: Result) -> Result:
        """Passes a result on to the model and the caller, as it may be seen."""
        masks_secrets = await masking.masks_secrets(function.server_id, [self._asker.assistant])
        return await filtering.passed_on(function, result, self._about, masks_secrets=masks_secrets)

    @property
    def _about(self) -> filtering.About:
        asker = self._asker
        slug = asker.assistant.slug if asker.assistant else ""
        return filtering.About(slug, asker.principal.key_prefix, asker.end_user)

    def question(self, function: FunctionEntry, asking: Asking, *, transcript: str = "") -> Question:
        """Returns the question for `ask`. `transcript`: the digest of the conversation that asks."""
        arguments, verdict = asking.arguments, asking.verdict
        return Question(self._asker, function, arguments, verdict, transcript, asking.touched)

    def _judged(self, function: FunctionEntry, arguments: Mapping[str, Any]) -> Verdict:
        verdict = Verdict(Effect.ALLOW, arguments)
        if not self._ruleset.is_empty:
            verdict = self._ruleset.judge(self._call(function, arguments))
        if self._requirement is not None and (required := self._requirement(function)) is not None:
            own = Verdict(required, verdict.arguments, approver=Approver.CALLER)
            verdict = rules.stricter(verdict, own)
        return verdict

    def _call(self, function: FunctionEntry, arguments: Mapping[str, Any]) -> Call:
        asker = self._asker
        return Call(
            function=function,
            arguments=arguments,
            principal=asker.principal,
            assistant_slug=asker.assistant.slug if asker.assistant else "",
            end_user=asker.end_user,
            touched=self._labels,
        )

    @property
    def _labels(self) -> frozenset[str]:
        return self._touched.labels if self._touched is not None else frozenset()


def refusal(verdict: Verdict) -> str:
    """Returns what a model is told of a call that a rule denies."""
    reason = f": {verdict.reason}" if verdict.reason else "."
    return f"Not called: a rule of this installation forbids it{reason} Do not try it in another way."
