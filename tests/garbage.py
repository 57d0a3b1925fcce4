"""What only a collection of garbage would free."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycles(*packages: str) -> Iterator[None]:
    """Fails if objects of these packages are kept by a cycle of references, once the block has ended."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        kept = {type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith(packages)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert kept == set()
