"""The Responses API: an assistant's answer as items, stored so that the next request can continue from it."""
