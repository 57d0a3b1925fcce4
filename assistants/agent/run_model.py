"""The LLM of one run: its rounds are counted, and a second service takes over where the first one fails."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from strands.types.content import Messages

from assistants.agent import messages as history
from assistants.agent.llm import image_blocks, refused_tools
from assistants.agent.llm.client import LLMClient, Round
from assistants.agent.llm.completion import Completion, Listeners
from assistants.agent.llm.spec import Spec
from assistants.agent.llm.tool_calls import ToolCall
from assistants.agent.model_turn import Turn, texts, written
from assistants.conversations import images
from assistants.errors import UpstreamFailed
from assistants.events import FinishReason, Usage
from core import metrics, tracing
from core.errors import InvalidRequest

log = logging.getLogger(__name__)


def ignore_refused(name: str, model: str) -> None:
    """A listener for runs that report no refused tools."""


_PROVIDERS = {"bedrock": "aws.bedrock", "gemini": "gcp.gemini"}
"""Kinds of services that OpenTelemetry names otherwise."""
_FINISH_REASONS: dict[str, FinishReason] = {"length": "length", "content_filter": "content_filter"}


class RunModel:
    """The model of one run. It offers tools for `max_rounds` rounds; in one more the model must answer.

    Where a client fails before the model has said anything, the next one is asked, from then on alone.
    `listeners` get the texts of all rounds as they come. `client_names`: the tools that the caller brought.
    A service may refuse one of `server_names`: the run goes on without it, and `on_refused` gets its name and
    the model's.
    """

    def __init__(
        self,
        clients: Sequence[LLMClient],
        *,
        tool_choice: str | Mapping[str, Any] | None,
        max_rounds: int,
        listeners: Listeners,
        client_names: Collection[str] = (),
        server_names: Collection[str] = (),
        on_refused: Callable[[str, str], None] = ignore_refused,
    ) -> None:
        self.rounds = 0
        self.usage = Usage(0, 0)
        self.finish_reason: FinishReason = "stop"
        self.turn = Turn()
        self.reasoning_field = "reasoning_content"
        self.refused: dict[str, str] = {}
        """Tools that a service refused, and that are left out of the run: the model's name, by theirs."""
        self._clients = clients
        self._failure: UpstreamFailed | None = None
        self._images: dict[str, tuple[str, bytes]] = {}
        self._service = clients[0].service
        self._tool_choice = tool_choice
        self._client_names = frozenset(client_names)
        self._server_names = server_names
        self._on_refused = on_refused
        self._max_rounds = max_rounds
        self._refusals = 0
        self._texts = _SeparatedRounds(listeners.on_text), _SeparatedRounds(listeners.on_reasoning)
        on_text, on_reasoning = (each.add for each in self._texts)
        self._listeners = Listeners(on_text, on_reasoning, listeners.on_refusal)

    async def ask(self, messages: Messages, specs: Sequence[Spec], system_prompt: str | None) -> Turn:
        """One round: returns the answer once it is whole. Raises UpstreamFailed.

        The run's caller gets the text while it comes, by its listeners.
        """
        self.rounds += 1
        for each in self._texts:
            each.begin_round()
        offered = self._offered(specs)
        asked = Round(
            history.as_sent(messages), system_prompt, offered, self._choice(offered), self.reasoning_field
        )
        self._settle(await self._answer(asked), asked)
        return self.turn

    @property
    def calls(self) -> Sequence[ToolCall]:
        """Returns the calls of the last round."""
        return self.turn.calls

    @property
    def offers_tools(self) -> bool:
        """Whether the next round does."""
        return self.rounds < self._max_rounds

    def withdraw_tools(self) -> None:
        """From now on the model must answer."""
        self._max_rounds, self._tool_choice = 0, None

    @property
    def _demands_client_call(self) -> bool:
        """Whether the caller wants a call of a tool of its own, however many of ours come before it."""
        if isinstance(self._tool_choice, Mapping):
            return self._tool_choice.get("function", {}).get("name") in self._client_names
        return self._tool_choice == "required" and bool(self._client_names)

    def _offered(self, specs: Sequence[Spec]) -> Sequence[Spec]:
        if self.rounds <= self._max_rounds:
            return specs
        # In the last round the model must answer, and a demanded call is the only answer that helps.
        return [spec for spec in specs if self._demands_client_call and spec["name"] in self._client_names]

    def _choice(self, specs: Sequence[Spec]) -> str | Mapping[str, Any] | None:
        """Forcing one of our tools holds for the first round only, or the model could never answer."""
        is_forced = self.rounds == 1 or self._demands_client_call
        return self._tool_choice if is_forced and _is_possible(self._tool_choice, specs) else None

    async def _answer(self, asked: Round) -> Completion:
        while True:
            client = self._clients[0]
            acceptable = await self._acceptable(asked, client)
            completion = Completion(self._listeners)
            try:
                await _measured(client, acceptable, completion)
            except UpstreamFailed as failure:
                # The caller has seen a part of the answer already: another model's would not continue it.
                if completion.has_begun:
                    raise
                if not self._leave_out(failure, acceptable.specs):
                    self._fail_over(failure)
            else:
                completion.end()
                return completion

    async def _with_images(self, asked: Round) -> Messages:
        """Returns the messages with all images as bytes, which are fetched once a run. Raises the failure
        of the first service where one cannot be fetched: only a fallback comes to need them.
        """
        missing = {url for url in image_blocks.addresses(asked.messages) if url not in self._images}
        if missing:
            try:
                self._images |= await images.fetched(missing)
            except InvalidRequest as refusal:
                log.warning("The fallback cannot be asked: an image cannot be fetched. %s", refusal.detail)
                raise self._failure or refusal from None
        return image_blocks.with_bytes(asked.messages, self._images) if self._images else asked.messages

    async def _acceptable(self, asked: Round, client: LLMClient) -> Round:
        """Returns what is asked, without the tools that the service is known to refuse, and with images as it
        takes them.
        """
        specs = []
        for spec in asked.specs:
            name = spec["name"]
            if name in self._server_names and refused_tools.known.has(client, spec):
                self.refused[name] = client.model
            else:
                specs.append(spec)
        choice = asked.tool_choice if specs and _is_possible(asked.tool_choice, specs) else None
        messages = asked.messages if client.takes_image_addresses else await self._with_images(asked)
        is_own = client.service == self._service
        return replace(asked, messages=messages, specs=specs, tool_choice=choice, is_own=is_own)

    def _leave_out(self, failure: UpstreamFailed, specs: Sequence[Spec]) -> bool:
        """Returns whether the request can be sent once more, without a tool for which it was refused.

        Raises the caller's error where the tool is the caller's.
        """
        spec, client = refused_tools.refused(failure, specs), self._clients[0]
        if spec is None:
            return False
        name = spec["name"]
        if name in self._client_names:
            raise refused_tools.of_caller(name, failure)
        if name not in self._server_names or self._refusals >= refused_tools.MOST_A_RUN:
            return False
        self._refusals += 1
        refused_tools.known.add(client, spec)
        self._on_refused(name, client.model)
        return True

    def _fail_over(self, failure: UpstreamFailed) -> None:
        """Go on to the next client. Raises the failure where there is none, or none may help."""
        if len(self._clients) == 1 or failure.code == "context_length_exceeded":
            raise failure
        failed, following = self._clients[0], self._clients[1:]
        log.warning("Model %s failed (%s): asking %s.", failed.model, failure.code, following[0].model)
        self._clients, self._failure = following, failure

    def _settle(self, completion: Completion, asked: Round) -> None:
        """Add up the round. Calls of an answer that was cut are not made, because so were their arguments."""
        self.finish_reason = _FINISH_REASONS.get(completion.finish_reason or "", "stop")
        calls = completion.calls if asked.specs and self.finish_reason == "stop" else []
        if self.rounds > self._max_rounds:
            calls = [call for call in calls if call.name in self._client_names]
        self.turn = Turn(completion, calls)
        self.reasoning_field = completion.reasoning_field
        self._add_usage(completion, asked)

    def _add_usage(self, completion: Completion, asked: Round) -> None:
        tokens, before = completion.tokens, self.usage
        is_estimated = tokens.estimate_missing(texts(asked), written(completion))
        self.usage = Usage(
            before.prompt_tokens + tokens.prompt,
            before.completion_tokens + tokens.completion,
            Counter(before.prompt_details) + Counter(tokens.prompt_details),
            Counter(before.completion_details) + Counter(tokens.completion_details),
            before.is_estimated or is_estimated,
        )


async def _measured(client: LLMClient, asked: Round, completion: Completion) -> None:
    began, status = time.monotonic(), "cancelled"
    try:
        with tracing.span(f"chat {client.model}", _about(client), kind=tracing.CLIENT) as span:
            await client.answer(asked, completion)
            span.note(_outcome(completion))
        status = "ok"
    except UpstreamFailed as failure:
        status = failure.code
        raise
    finally:
        if client.kind:
            metrics.LLM_CALLS.add(client.kind, status)
            metrics.LLM_SECONDS.observe(time.monotonic() - began, client.kind)


def _about(client: LLMClient) -> dict[str, str]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(client.kind, client.kind),
        "gen_ai.request.model": client.model,
    }


def _outcome(completion: Completion) -> dict[str, Any]:
    return {
        "gen_ai.response.finish_reasons": [completion.finish_reason or "stop"],
        "gen_ai.usage.input_tokens": completion.tokens.prompt or None,
        "gen_ai.usage.output_tokens": completion.tokens.completion or None,
    }


class _SeparatedRounds:
    """Separates the texts of two rounds by a blank line, or the last word of one would touch the next."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._last = ""
        self._is_first_of_round = True

    def begin_round(self) -> None:
        self._is_first_of_round = True

    def add(self, text: str) -> None:
        follows = self._is_first_of_round and self._last
        if follows and not (self._last[-1].isspace() or text[0].isspace()):
            self._on_text("\n\n")
        self._last, self._is_first_of_round = text, False
        self._on_text(text)


def _is_possible(tool_choice: str | Mapping[str, Any] | None, specs: Sequence[Spec]) -> bool:
    """Whether the choice can be made from `specs`: services refuse the name of a tool that is not offered."""
    if isinstance(tool_choice, Mapping):
        name = tool_choice.get("function", {}).get("name")
        return any(spec["name"] == name for spec in specs)
    return tool_choice is not None
