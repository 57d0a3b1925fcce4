"""What `python -m bench load` may be told."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.loading.loads import BY_KEY

PEERS = ("litellm",)


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of each turn. `peer`: one of PEERS, or "". `json` and `markdown`: files to write."""

    loads: Sequence[str] = tuple(BY_KEY)
    callers: Sequence[int] = (1, 16, 64)
    seconds: float = 1.5
    peer: str = ""
    json: Path | None = None
    markdown: Path | None = None
    command: str = "python -m bench load"


def add(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("options of load")
    group.add_argument("--loads", nargs="+", choices=tuple(BY_KEY), metavar="LOAD", help=", ".join(BY_KEY))
    group.add_argument("--callers", nargs="+", type=int, metavar="N", help="1 16 64 without it")
    group.add_argument("--seconds", type=float, help="of each turn; 1.5 without it")
    group.add_argument("--peer", choices=PEERS, help="installs it apart, and measures it beside us")
    group.add_argument("--json", type=Path, metavar="FILE", help="writes all figures")
    group.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="rewrites the tables of a page, and images/performance.svg",
    )


def read(parsed: argparse.Namespace) -> Options | None:
    """Returns the options that were given; None if none was."""
    given = {name: value for name, value in vars(parsed).items() if name != "names" and value is not None}
    # Where the figures are kept says nothing about how they were measured.
    shown = [word for before, word in pairwise(["", *sys.argv[1:]]) if "--json" not in (before, word)]
    return Options(**given, command=f"python -m bench {' '.join(shown)}") if given else None
