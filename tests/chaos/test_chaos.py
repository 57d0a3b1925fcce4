"""A short run of each part of `make chaos`, in processes of its own: its database is killed."""

import os
import subprocess
import sys

import pytest

from tests.chaos.world import ROOT

NOT_PERMITTED = 77


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["storm", "--seconds", "10"], id="faults at random", marks=pytest.mark.slow),
        pytest.param(["partition"], id="workers on two machines"),
        pytest.param(["failover"], id="PostgreSQL fails over", marks=pytest.mark.slow),
        pytest.param(["sentinel"], id="Redis fails over", marks=pytest.mark.slow),
        pytest.param(["clock", "--seconds", "25"], id="a clock that jumps", marks=pytest.mark.slow),
        pytest.param(["approvals", "--seconds", "40"], id="calls that wait", marks=pytest.mark.slow),
    ],
)
def test_what_must_never_happen_does_not(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tests.chaos", *arguments, "--short-leases"]
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580, check=False
    )
    if run.returncode == NOT_PERMITTED:
        pytest.skip(run.stdout.splitlines()[-1])
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
