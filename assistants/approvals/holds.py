"""How long an answer is held for those who must agree to its calls."""

from django.conf import settings

LONGEST_PLAIN_S = 45.0
"""For an answer of which not a byte can be sent meanwhile: proxies give up after a minute."""


OUTCOMES_S = LONGEST_PLAIN_S
"""How long a request waits, before its answer begins, for calls that were agreed to."""


def of(*, is_streamed: bool) -> float:
    hold_s: float = settings.APPROVAL_HOLD_S
    return hold_s if is_streamed else min(hold_s, LONGEST_PLAIN_S)
