"""Start-up outputs as published servers, runtimes and package runners write them, and what they mean."""

import re
import time
from pathlib import Path

import pytest

from connector.lifecycle.diagnosis import ExitInfo, ExitReason, diagnose

FILE = Path(__file__).with_name("startup_outputs.txt")
OUTPUTS = re.findall(r"^=== (\w+)\n(.*?)(?=^=== |\Z)", FILE.read_text(), re.MULTILINE | re.DOTALL)
"""The reason that is found, and the output."""
CALM = [
    "npm warn EBADENGINE Unsupported engine { package: 'x@1.0.0', required: { node: '>=22' } }",
    "[INFO] config file not found, using defaults",
    "DEBUG: retrying after 401 Unauthorized",
    "WARNING: no API key provided, continuing without it",
    "listening to 401 channels",
]


@pytest.mark.parametrize(("reason", "text"), OUTPUTS)
def test_the_cause_of_a_failed_start_is_told(reason: str, text: str) -> None:
    found = diagnose(ExitInfo("npx", "start", 1.0, code=1, stderr=text))
    assert found.reason == reason
    # What a runner says of its package is longer than a message; all others quote it.
    quotes = reason in {"package_not_found", "out_of_memory", "unreachable_dependency"}
    assert quotes or any(line.strip() and line.strip()[:100] in found.message for line in text.split("\n"))


def test_the_cause_is_read_from_standard_output_too() -> None:
    text = "Error: API key is required.\n"
    info = ExitInfo("npx", "start", 1.0, code=1, stray_stdout=text.strip(), stdout=text)
    assert diagnose(info).reason == ExitReason.MISSING_VARIABLE


@pytest.mark.parametrize("text", CALM)
def test_a_line_of_a_log_that_reports_no_error_is_no_cause(text: str) -> None:
    found = diagnose(ExitInfo("npx", "start", 1.0, code=1, stderr=f"{text}\nTypeError: x is not a function"))
    assert found.reason == ExitReason.CRASHED


def test_a_server_that_ran_is_not_explained_by_what_it_once_wrote() -> None:
    info = ExitInfo("npx", "run", 99.0, code=1, stderr="Error: listen EADDRINUSE: address already in use")
    assert diagnose(info).reason == ExitReason.CRASHED


@pytest.mark.parametrize(
    "part", ["token ", "file ", "Usage: x ", "invalid ", "no ", "env: ", "a: ", "Node 1.", "x"]
)
def test_hostile_output_is_read_in_short_time(part: str) -> None:
    began = time.process_time()
    diagnose(ExitInfo("npx", "start", 1.0, code=1, stderr=part * (16 * 1024 // len(part))))
    diagnose(ExitInfo("npx", "start", 1.0, code=1, stderr=f"{part}\n" * (16 * 1024 // len(part))))
    assert time.process_time() - began < 3
