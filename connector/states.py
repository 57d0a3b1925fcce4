"""The phases of an instance, and when it is started again. Pure: no process, database or clock of its own."""

import random
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto

from django.db import models
from django.utils.translation import gettext_lazy as _

from tools.models import Status

BACKOFF_FIRST_S = 0.5
BACKOFF_CAP_S = 60.0
HEALTHY_AFTER_S = 60.0
CRASH_WINDOW_S = 60.0
CRASHES_IN_WINDOW = 5
CRASH_LOOP_RETRY_S = (240.0, 300.0)


class Phase(models.TextChoices):
    """The phase of one instance. `ready` and `degraded` serve calls; the others do not."""

    CLAIMED = "claimed", _("Claimed")
    STARTING = "starting", _("Starting")
    READY = "ready", _("Ready")
    DEGRADED = "degraded", _("Degraded")
    BACKOFF = "backoff", _("Waiting to restart")
    CRASH_LOOP = "crash_loop", _("Crashing again and again")
    STOPPING = "stopping", _("Stopping")
    RELEASED = "released", _("Released")


SERVING = frozenset({Phase.READY, Phase.DEGRADED})
FAILED = frozenset({Phase.BACKOFF, Phase.CRASH_LOOP})

TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.CLAIMED: frozenset({Phase.STARTING, Phase.STOPPING}),
    Phase.STARTING: frozenset({Phase.READY, Phase.DEGRADED, Phase.BACKOFF, Phase.CRASH_LOOP, Phase.STOPPING}),
    Phase.READY: frozenset({Phase.DEGRADED, Phase.BACKOFF, Phase.CRASH_LOOP, Phase.STOPPING}),
    Phase.DEGRADED: frozenset({Phase.READY, Phase.BACKOFF, Phase.CRASH_LOOP, Phase.STOPPING}),
    Phase.BACKOFF: frozenset({Phase.STARTING, Phase.STOPPING}),
    Phase.CRASH_LOOP: frozenset({Phase.STARTING, Phase.STOPPING}),
    Phase.STOPPING: frozenset({Phase.RELEASED}),
    Phase.RELEASED: frozenset({Phase.CLAIMED}),
}


class IllegalTransition(Exception):
    """A phase that cannot follow the one before: a bug, never an outside event."""


def transition(current: Phase, following: Phase) -> Phase:
    """Returns `following`. Raises IllegalTransition."""
    if following != current and following not in TRANSITIONS[current]:
        raise IllegalTransition(f"{current} cannot become {following}")
    return following


class RestartPolicy(Enum):
    """How soon a server is started again; the reason why it ended decides."""

    CRASH = auto()
    """With a growing delay, and rarely once it crashes in a loop."""
    UNREACHABLE = auto()
    """With a growing delay, at least every minute: trying to reach a remote server starts no process."""
    NEW_SESSION = auto()
    """At once, the first time: the server is well and has only forgotten the session."""
    NEEDS_CHANGE = auto()
    """Rarely: nothing changes until somebody changes something."""


@dataclass
class RestartSchedule:
    """When a server that ended is started again: after 0.5 s doubling to 60 s, and rarely once it loops."""

    count: int = 0
    _in_a_row: int = 0
    _exits: deque[float] = field(default_factory=deque)

    def after_exit(
        self, policy: RestartPolicy = RestartPolicy.CRASH, *, now: float, lived_s: float
    ) -> tuple[Phase, float]:
        """Returns the phase to wait in, and for how many seconds. `lived_s` is 0 if it never was ready."""
        self.count += 1
        # A minute of health ends a row of failures: the next delay is the first one again.
        self._in_a_row = 1 if lived_s >= HEALTHY_AFTER_S else self._in_a_row + 1
        if policy is RestartPolicy.NEEDS_CHANGE:
            return Phase.BACKOFF, _rarely_s()
        if policy is RestartPolicy.NEW_SESSION and self._in_a_row == 1:
            return Phase.BACKOFF, 0.0
        if policy is RestartPolicy.CRASH:
            self._exits.append(now)
        while self._exits and self._exits[0] <= now - CRASH_WINDOW_S:
            self._exits.popleft()
        if len(self._exits) > CRASHES_IN_WINDOW:
            return Phase.CRASH_LOOP, _rarely_s()
        return Phase.BACKOFF, backoff_s(self._in_a_row)


def _rarely_s() -> float:
    return random.uniform(*CRASH_LOOP_RETRY_S)  # noqa: S311 - jitter, not a secret


def backoff_s(attempt: int) -> float:
    """Returns the seconds before the `attempt`-th restart in a row, counted from 1: 50 to 100 % of the delay.

    The jitter keeps servers that ended together, with their network or their host, from starting together.
    """
    # The exponent has a limit: 2.0 ** 1100 overflows.
    longest = min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2.0 ** min(attempt - 1, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret


def derive_status(*, wanted: bool, replicas: int, phases: Collection[Phase]) -> Status:
    """Returns the status of a server, from the phases of its instances that have a live owner."""
    if not wanted:
        # A server that is stopping still runs, as far as anybody else is concerned.
        return Status.RUNNING if phases else Status.STOPPED
    serving = [phase for phase in phases if phase in SERVING]
    if len(serving) >= replicas and all(phase == Phase.READY for phase in serving):
        return Status.RUNNING
    if serving:
        return Status.DEGRADED
    return Status.ERROR if any(phase in FAILED for phase in phases) else Status.STARTING
