"""When the model of a run worked, round by round, as JSON for the run's row.

    [{"started_ms", "duration_ms", "prompt_tokens", "completion_tokens"}, ...]

Times are milliseconds after the start of the run, tokens those of the round. The first round includes what
comes before the model: connecting to servers, and the selection of tools. A round follows the last tool call
of the one before.
"""

from assistants.events import Usage

MOST = 64
"""Of a run with more rounds, the first ones are kept."""


class Rounds:
    """The rounds of a run so far."""

    def __init__(self) -> None:
        self._ended: list[dict[str, int]] = []
        self._since_ms = 0
        self._usage = Usage(0, 0)

    @property
    def as_json(self) -> list[dict[str, int]]:
        return self._ended[:MOST]

    def answered(self, usage: Usage, elapsed_ms: int) -> None:
        """The model has answered: `usage` is the sum over its rounds. Said twice, it counts once."""
        before = self._usage
        prompt = usage.prompt_tokens - before.prompt_tokens
        completion = usage.completion_tokens - before.completion_tokens
        if prompt or completion:
            self._end(elapsed_ms, prompt, completion)
        self._usage = usage

    def cut_off(self, usage: Usage, elapsed_ms: int) -> None:
        """The run ends while the model works: this round is kept, whatever came of it."""
        before = self._usage
        self._end(
            elapsed_ms,
            usage.prompt_tokens - before.prompt_tokens,
            usage.completion_tokens - before.completion_tokens,
        )

    def _end(self, elapsed_ms: int, prompt: int, completion: int) -> None:
        if len(self._ended) < MOST:
            self._ended.append(
                {
                    "started_ms": self._since_ms,
                    "duration_ms": max(0, elapsed_ms - self._since_ms),
                    "prompt_tokens": prompt,
                    "completion_tokens": completion,
                }
            )
        self._since_ms = elapsed_ms

    def tools_ended(self, elapsed_ms: int) -> None:
        """A tool call has ended, so that the model may go on."""
        self._since_ms = elapsed_ms
