"""How far a rule believes what a server says of its tools.

Its hints are believed where staff have approved the definition; where they have not, it counts as if it gave
none, and what it says may only tighten.
"""

from assistants.catalogue import FunctionEntry
from tools import hints
from tools.hints import DEFAULTS, Hints

__all__ = ["DEFAULTS", "Hints", "claimed", "effective"]


def claimed(function: FunctionEntry) -> Hints:
    """Returns the hints of a tool as its server gives them."""
    return hints.claimed(function.annotations)


def effective(function: FunctionEntry) -> Hints:
    """Returns the hints of a tool that may be believed."""
    return claimed(function) if function.is_trusted else DEFAULTS
