"""The load generator against the services of the benchmarks, and what is told of a run."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import upstream
from bench.loading import picture, report
from bench.loading.generator import Sample, drive
from bench.loading.loads import BY_KEY, Load
from bench.loading.results import OURS, Result, Run
from bench.loading.targets import Target


@pytest.fixture
async def targets() -> AsyncIterator[dict[str, Target]]:
    """By kind of load."""
    loop = asyncio.get_running_loop()
    found, servers = {}, []
    for kind, answer in (("chat", upstream.complete), ("mcp", upstream.echo_over_http)):
        server = await loop.create_server(partial(upstream.Service, answer), "127.0.0.1", 0)
        servers.append(server)
        found[kind] = Target(kind, server.sockets[0].getsockname()[1], {}, settles_s=0)
    yield found
    for server in servers:
        server.close()


async def driven(target: Target, load: Load) -> Sample:
    return await drive(target, load, callers=3, seconds=0.03, warm_up=0)


@pytest.mark.parametrize(
    "key",
    ["chat", "streamed", "large", "history", "client-tools", "long", "call-http", "list-200", "list-1000"],
)
async def test_every_caller_gets_right_answers(targets: dict[str, Target], key: str):
    load = BY_KEY[key]
    sample = await driven(targets[load.kind], load)
    assert sample.errors == []
    assert len(sample.waits) >= 3
    assert 0 < sample.first_ms(50) <= sample.wait_ms(50) <= sample.wait_ms(99)
    assert sample.rate > 0


@pytest.mark.parametrize(
    "load",
    [
        replace(BY_KEY["chat"], times=2),
        replace(BY_KEY["streamed"], times=19),
        replace(BY_KEY["list-200"], times=201),
        replace(BY_KEY["call-http"], params={"name": "echo7", "arguments": {"text": "of another"}}),
    ],
    ids=lambda load: load.key,
)
async def test_a_wrong_answer_is_an_error(targets: dict[str, Target], load: Load):
    sample = await driven(targets[load.kind], load)
    assert not sample.waits
    assert len(sample.errors) == sample.requests >= 3
    assert sample.errors[0].startswith("200: ")


async def test_a_target_that_is_gone_is_an_error_and_no_crash(targets: dict[str, Target]):
    gone = replace(targets["chat"], port=1)
    sample = await driven(gone, BY_KEY["chat"])
    assert "ConnectionRefusedError" in sample.errors[0]


def a_run() -> Run:
    results = [
        Result(BY_KEY["chat"], callers, target, Sample(2.0, [wait] * 200, [wait] * 200, [], {"web": cost}))
        for callers in (1, 16)
        for target, wait, cost in (("bare aiohttp", 0.001, 0.05), (OURS, 0.004, 0.2))
    ]
    return Run(
        machine={name: name for name in ("processor", "cores", "kernel", "python", "commit", "load_before")},
        command="python -m bench load",
        memory={"bare aiohttp": {"web": 30.0}, OURS: {"web": 100.0}},
        results=results,
    )


def test_a_page_holds_costs_beside_the_floor_and_keeps_what_surrounds_them(tmp_path: Path):
    page = tmp_path / "performance.md"
    page.write_text(f"Before.\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
    report.rewrite(page, report.markdown(a_run()))
    text = page.read_text()
    assert text.startswith("Before.\n\n")
    assert text.endswith("\n\nAfter.\n")
    assert "old" not in text
    assert "| chat | **1.00** |  | 2.00 | 1.00 | 0.25 |" in text
    assert "| chat | 16 | 100 | 4.00 | 4.00 | 4.00 |" in text


def test_a_page_without_its_markers_is_left_alone(tmp_path: Path):
    page = tmp_path / "performance.md"
    page.write_text("Nothing to replace.\n")
    with pytest.raises(ValueError, match="to write between"):
        report.rewrite(page, "tables")
    assert page.read_text() == "Nothing to replace.\n"


def test_a_picture_has_a_bar_for_each_cost(tmp_path: Path):
    svg = ElementTree.fromstring(picture.drawn(a_run()))
    _, *of_legend_and_costs = svg.iter("{http://www.w3.org/2000/svg}rect")
    ours, floor = (float(bar.get("width", "0")) for bar in of_legend_and_costs[2:])
    assert ours > floor


def test_goals_are_told_beside_what_was_measured():
    told = [str(figure) for figure in report.figures(a_run())]
    assert any("chat, 16 callers: 1 CPU-ms" in line and "met" in line for line in told)
