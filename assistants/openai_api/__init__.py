"""The OpenAI-compatible API: Chat Completions, Responses, Models and Embeddings, as the SDKs expect them."""
