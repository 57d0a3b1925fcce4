"""The product conforms to its OpenAPI description, and no request outside of it causes an error 500."""

import subprocess
import sys

import pytest
from django.core.management import call_command

from tests.stack import Stack

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
PHASES = "examples,coverage,fuzzing"
# These have tests of their own: a connection test would look up made-up host names, and a rotation would lock
# the fuzzer out.
EXCLUDED = r"/(test|rotate)$"


def test_the_description_is_valid_and_generated_without_a_warning(tmp_path: object) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", f"{tmp_path}/schema.yml")


@pytest.mark.timeout(600)
def test_no_request_breaks_the_product_or_its_description(stack: Stack) -> None:
    key = stack.key("schemathesis", can_manage=True)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{stack.url}/api/schema"]
    options = {
        "--header": f"Authorization: Bearer {key.key}",
        "--checks": CHECKS,
        "--phases": PHASES,
        "--exclude-path-regex": EXCLUDED,
        "--max-examples": "20",
        "--workers": "1",
        "--request-timeout": "15",
        "--seed": "1",
    }
    flat = [part for option in options.items() for part in option]
    result = subprocess.run([*command, *flat], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout[-8000:]
