"""Clients of LLM services: they send one round of a conversation and fill a Completion as the answer comes.

`client` is the interface, `openai_compatible` and `vendor_sdks` implement it, `failover` chooses between
them. An answer of an OpenAI-compatible service is read by `http` (the connection), `sse` (bytes to payloads)
and `completion` (payloads to text, calls and usage).
"""
