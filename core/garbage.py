"""When a process looks for garbage: objects that only a cycle of references keeps."""

import gc

NEW_OBJECTS = 5_000
"""A collection of the youngest begins when so many more objects were made than freed."""
_YOUNGER = 20
"""So many collections of a generation make one of the next."""


def collect_seldom() -> None:
    """Exempts what is loaded by now from collections, and from now on has few of them.

    A full collection would look at all that is loaded: 100 ms without an answer. By default one of the
    youngest objects begins at 700 new ones, several times in a request, for a fifteenth of the processor's
    time, and finds next to nothing: what a request leaves holds no cycles.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, _YOUNGER, _YOUNGER)
    gc.enable()
