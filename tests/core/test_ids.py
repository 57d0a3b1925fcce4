"""core.ids: unique in threads, and in processes that are forked."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from core import ids


def test_an_id_is_32_hexadecimal_digits() -> None:
    assert re.fullmatch("[0-9a-f]{32}", ids.unique())


def test_threads_get_different_ids() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: ids.unique(), range(10_000)))
    assert len(set(made)) == len(made)


def test_a_forked_process_does_not_repeat_those_of_its_parent() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, ids.unique().encode())
        os._exit(0)
    os.close(writing)
    theirs = os.read(reading, 32).decode()
    os.waitpid(child, 0)
    assert theirs
    assert theirs != ids.unique()
