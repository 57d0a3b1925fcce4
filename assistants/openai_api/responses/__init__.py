"""The Responses API: an assistant's answer as items, kept so that the next request can go on from it."""
