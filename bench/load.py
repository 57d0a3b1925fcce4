"""The whole product under load beside a floor and a peer: every load at every number of callers, in turns."""

import time
from collections.abc import Iterator, Sequence

from bench.figures import Figure
from bench.loading import floors, machine, peer, picture, product, report
from bench.loading.generator import Sample, turn
from bench.loading.loads import LOADS, Load
from bench.loading.options import Options
from bench.loading.product import Product
from bench.loading.results import Result, Run
from bench.loading.targets import Target
from tests.chaos.world import World

TURNS = 2


def measure(world: World, options: Options = Options()) -> Iterator[Figure]:  # noqa: B008 - frozen
    """Yields the figures that have goals. The table is printed meanwhile, and written where `options` say.

    Raises NotMeasured if the peer cannot be installed or does not start.
    """
    began = time.monotonic()
    described = machine.described()
    targets = _start(world, options)
    run = Run(described, options.command, {target.name: target.memory() for target in targets})
    print(report.HEAD, flush=True)
    for load in (load for load in LOADS if load.key in options.loads):
        for target in targets:
            if isinstance(target, Product):
                target.prepare(load)
        for callers in options.callers:
            for result in _measured(targets, load, callers, options.seconds):
                run.results.append(result)
                print(report.line(result), flush=True)
        if load.kind in ("chat", "mcp"):
            run.memory_after = {target.name: target.memory() for target in targets}
    run.seconds = time.monotonic() - began
    _write(run, options)
    yield from report.figures(run)


def _start(world: World, options: Options) -> list[Target]:
    behind = product.start_behind(world)
    targets: list[Target] = [floors.upstream(behind), *floors.start(world, behind)]
    if options.peer:
        targets.append(peer.start(world, behind))
    return [*targets, product.start(world, behind)]


def _measured(targets: Sequence[Target], load: Load, callers: int, seconds: float) -> Iterator[Result]:
    """Turns alternate: what else the machine does meanwhile hits all alike."""
    able = [target for target in targets if target.allows(load, callers)]
    samples = {target.name: Sample() for target in able}
    for number in range(TURNS):
        for target in able:
            own_s = seconds * target.share
            samples[target.name] += turn(target, load, callers, own_s, is_warm=number > 0)
    return (Result(load, callers, name, sample) for name, sample in samples.items())


def _write(run: Run, options: Options) -> None:
    if options.json:
        options.json.write_text(report.as_json(run))
    if options.markdown:
        report.rewrite(options.markdown, report.markdown(run))
        (options.markdown.parent / "images" / "performance.svg").write_text(picture.drawn(run))
