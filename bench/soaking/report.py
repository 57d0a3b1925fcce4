"""A soak for people: two tables."""

from collections.abc import Iterable, Mapping

from bench.loading.generator import percentile
from bench.soaking.callers import Told
from bench.soaking.usage import Growth


def of_requests(told: Mapping[str, Told], seconds: float) -> str:
    """Returns a line for each kind of request, and one for all."""
    lines = [f"{'requests':28}{'right':>9}{'errors':>8}{'p50 ms':>10}{'p99 ms':>10}"]
    for name, each in told.items():
        waits = "".join(f"{percentile(each.waits, percent) * 1000:10.1f}" for percent in (50, 99))
        lines.append(f"{name:28}{len(each.waits):9,}{len(each.errors):8}{waits}")
    right, wrong = (
        sum(len(values) for values in found)
        for found in ([each.waits for each in told.values()], [each.errors for each in told.values()])
    )
    lines.append(f"{'all':28}{right:9,}{wrong:8}{(right + wrong) / seconds:10.1f} a second")
    return "\n".join(lines)


def of_usage(growths: Iterable[Growth]) -> str:
    """Returns a line for each thing that was measured."""
    quarters = "".join(f"{f'quarter {number}':>11}" for number in range(1, 5))
    lines = [f"{'process':14}{'what':18}{quarters}{'growth':>10}"]
    for each in growths:
        verdict = "  TOO MUCH" if each.is_too_much else ""
        values = "".join(f"{value:11.1f}" for value in each.quarters)
        lines.append(f"{each.who:14}{each.what:18}{values}{each.part:10.1%}{verdict}")
    return "\n".join(lines)
