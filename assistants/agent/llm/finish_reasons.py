"""The reasons that services give for the end of an answer, as those of OpenAI's protocol, or `error`."""

_LENGTH = {
    "length", "max_length", "max_output_tokens", "max_tokens", "model_context_window_exceeded",
    "model_length", "token_limit",
}  # fmt: skip
_FILTERED = {
    "blocklist", "content_filter", "content_filtered", "content_policy_violation", "guardrail_intervened",
    "prohibited_content", "recitation", "refusal", "safety", "sensitive", "spii",
}  # fmt: skip
_FAILED = {
    "abort", "aborted", "cancelled", "error", "failed", "insufficient_system_resource", "internal_error",
    "malformed_function_call", "network_error", "timeout", "unexpected_tool_call",
}  # fmt: skip


def normalized(reason: str) -> str:
    """Returns `length`, `content_filter`, `error`, or `stop`: also for a reason that nobody knows.

    Gemini names its own reason behind a colon, as in `function_call_filter: MALFORMED_FUNCTION_CALL`.
    """
    name = reason.rpartition(":")[2].strip().lower()
    if name in _LENGTH:
        return "length"
    if name in _FILTERED:
        return "content_filter"
    return "error" if name in _FAILED else "stop"
