"""All checks in their order: the stores first, because the others ask them."""

from collections.abc import Callable, Iterator

from config.doctor import backups, database, machine, processes, redis, rows, services, settings
from config.doctor.finding import Finding, State

Check = Callable[[], Iterator[Finding]]

_WITHOUT_ROWS: tuple[Check, ...] = (settings.check, machine.check, redis.check)
_WITH_ROWS: tuple[Check, ...] = (
    machine.check_clock,
    rows.check_secrets,
    backups.check,
    processes.check,
    services.check_providers,
    services.check_servers,
)


def examine() -> Iterator[Finding]:
    """Yields what each check finds, as it finds it. Without the database those that need it are left out."""
    for check in _WITHOUT_ROWS:
        yield from check()
    can_be_read = True
    for finding in database.check():
        can_be_read = can_be_read and finding.state is not State.FAILED
        yield finding
    for check in _WITH_ROWS if can_be_read else ():
        yield from check()
