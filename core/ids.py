"""Ids that need to be unique and no secret: whoever guesses one may do no more than before.

`uuid4` asks the system's source of randomness for each one, seven times as slow where a system call is quick.
What must not be guessed is made by `secrets`, or by `uuid4`.
"""

import os
import random

_random = random.Random()  # noqa: S311 - no secret, see above
os.register_at_fork(after_in_child=_random.seed)


def unique() -> str:
    """Returns 32 hexadecimal digits, as unique as those of a UUID. Can be called from any thread."""
    return f"{_random.getrandbits(128):032x}"
