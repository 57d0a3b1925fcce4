from assistants.catalogue import FunctionEntry


def function() -> FunctionEntry:
    return FunctionEntry(1, "Mail", "mail", "read", "mail__read", "Reads.", {"type": "object"}, 60.0)
