"""What a chat costs at 16 callers: processor time of all our processes. The LLM answers at once."""

from collections.abc import Iterator

from bench.figures import Figure
from bench.loading import product
from bench.loading.generator import turn
from bench.loading.loads import BY_KEY, Load
from bench.loading.product import Product
from bench.loading.report import USUAL
from bench.web import Caller
from tests.chaos.world import World

LOADS = ("chat", "streamed", "tool-stdio", "tool-http", "large")
TURNS, SECONDS = 3, 4.0


def measure(world: World) -> Iterator[Figure]:
    """Yields processor time a request, and what one caller waits for a chat and its first token."""
    made = product.start(world, product.start_behind(world))
    for key in LOADS:
        yield from of_load(made, BY_KEY[key])
    for key in LOADS[:2]:
        waits = [turn(made, BY_KEY[key], 1, SECONDS).first_ms(50) for _ in range(TURNS)]
        yield Figure(f"{BY_KEY[key].name}, one caller, the first bytes", waits, "ms", 3.0)


def of_load(target: Product, load: Load) -> Iterator[Figure]:
    """Yields processor time and requests a second at 16 callers."""
    samples = [turn(target, load, USUAL, SECONDS) for _ in range(TURNS)]
    costs = [sample.cost_ms for sample in samples]
    parts = ", ".join(f"{kind} {min(cost[kind] for cost in costs):.2f}" for kind in costs[0])
    what = f"{load.name}, {USUAL} callers"
    yield Figure(f"{what} ({parts})", [sum(cost.values()) for cost in costs], "CPU-ms", load.must)
    yield Figure(what, [sample.rate for sample in samples], "requests a second")


def start_scene(world: World) -> Caller:
    """Starts what a chat needs, with an assistant for each load. Returns a client of the web process."""
    web = product.start(world, product.start_behind(world)).web
    assert web  # noqa: S101
    return web
