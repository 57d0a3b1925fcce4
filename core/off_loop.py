"""Work of the processor whose size callers choose, outside of the event loop."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

SMALL = 64 * 1024
"""Bytes. Less is quicker done in the loop than handed to a thread."""

# One thread. Python runs one thread at a time, and the loop gets its turn after 5 ms, or when a function in C
# returns: with more threads it would wait for each of them.
_thread = ThreadPoolExecutor(1, thread_name_prefix="off-loop")


async def run(work: Callable[[], T], *, size: int) -> T:
    """Returns what `work` returns, and raises what it raises. `size`: the bytes that it reads."""
    if size <= SMALL:
        return work()
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_thread, context.run, work)
