"""The OpenAI-compatible door: Chat Completions and Models, as the OpenAI SDKs expect them."""
