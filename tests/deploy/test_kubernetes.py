"""The manifests: confined processes, with names that exist, and an allow list for MCP servers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from config import secret_files
from tests.architecture.test_settings import in_settings

FOLDER = Path(__file__).resolve().parent.parent.parent / "deploy" / "kubernetes"
COMPOSE = yaml.safe_load((FOLDER.parent.parent / "docker-compose.yml").read_text())
DEPLOYMENTS = ("web", "worker-mcp", "worker", "beat")
SCRAPE = yaml.safe_load((FOLDER.parent / "prometheus" / "scrape.yaml").read_text())["scrape_configs"][0]
SCRAPED = re.compile(SCRAPE["relabel_configs"][0]["regex"])
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
Manifest = dict[str, Any]


def manifests() -> Iterator[Manifest]:
    for path in FOLDER.glob("*.yaml"):
        if path.stem != "kustomization":
            yield from yaml.safe_load_all(path.read_text())


def one(kind: str, name: str) -> Manifest:
    (found,) = [each for each in manifests() if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pods() -> dict[str, Manifest]:
    kinds = {"Deployment", "Job"}
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in manifests()
        if each["kind"] in kinds
    }


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def test_the_kustomization_lists_every_file() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        path.name for path in FOLDER.glob("*.yaml") if path.stem != "kustomization"
    )


@pytest.mark.parametrize("name", sorted(pods()))
def test_a_pod_is_confined(name: str) -> None:
    pod = pods()[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert {kind for volume in pod["volumes"] for kind in volume} == {"name", "secret", "emptyDir"}
    for container in containers(pod):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_process_is_the_one_of_the_compose_file(name: str) -> None:
    command = pods()[name]["containers"][0]["command"]
    written = COMPOSE["services"][name].get("command", "python -m config.web --host 0.0.0.0 --port 8000")
    assert " ".join(part or '""' for part in command) == written
    seconds = int(COMPOSE["services"][name]["stop_grace_period"].rstrip("s"))
    assert name == "beat" or pods()[name]["terminationGracePeriodSeconds"] >= seconds


def test_only_settings_that_exist_are_given() -> None:
    given = {name.removesuffix("_FILE") for name in one("ConfigMap", "settings")["data"]}
    assert given <= in_settings() | {"FORWARDED_ALLOW_IPS"}
    files = {value for name, value in one("ConfigMap", "settings")["data"].items() if name.endswith("_FILE")}
    assert "/run/mcp-connector/METRICS_TOKEN" in files  # Prometheus is in another pod
    assert {Path(path).name for path in files} <= {*secret_files.GENERATED, *secret_files.ADDRESSES}


def test_nobody_reaches_anybody_but_as_a_policy_says() -> None:
    nothing = one("NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_mcp_servers_reach_only_what_is_allowed() -> None:
    policy = one("NetworkPolicy", "worker-mcp")["spec"]
    assert policy["egress"] == []
    callers = [
        each["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in policy["ingress"][0]["from"]
    ]
    assert callers == ["web", "worker"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_prometheus_finds_a_pod_and_is_let_in(name: str) -> None:
    found = [
        port["containerPort"]
        for port in pods()[name]["containers"][0]["ports"]
        if SCRAPED.fullmatch(f"{name};{port['name']}")
    ]
    bound = int(one("ConfigMap", "settings")["data"]["METRICS_BIND"].rpartition(":")[2])
    assert found == [8000 if name == "web" else bound]
    policy = one("NetworkPolicy", "web" if name == "web" else "metrics")["spec"]
    (rule,) = policy["ingress"]
    assert MONITORING in rule["from"]
    assert [port["port"] for port in rule["ports"]] == found
    (labels,) = policy["podSelector"].values()
    assert name in (labels.values() if isinstance(labels, dict) else labels[0]["values"])


def test_pods_reach_the_collector_of_traces_once_that_is_uncommented() -> None:
    """As shipped nothing is traced, and MCP servers, which share pods of the product, reach no address."""
    policy = commented("network-policies.yaml", "apiVersion: networking.k8s.io/v1")
    (matched,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert matched["key"] == "app.kubernetes.io/component"
    assert sorted(matched["values"]) == sorted(DEPLOYMENTS)
    (rule,) = policy["spec"]["egress"]
    (port,) = rule["ports"]
    endpoint = urlsplit(commented("settings.yaml", "  OTEL_")["OTEL_EXPORTER_OTLP_ENDPOINT"])
    assert (port, rule["to"]) == ({"protocol": "TCP", "port": endpoint.port}, [MONITORING])
    assert (endpoint.hostname or "").endswith(".monitoring")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in in_settings()


def commented(name: str, beginning: str) -> Manifest:
    """Returns what stands in comments of this file, from the line with this beginning on."""
    lines = [line.replace("# ", "", 1) for line in (FOLDER / name).read_text().splitlines() if "# " in line]
    start = next(number for number, line in enumerate(lines) if line.startswith(beginning))
    found: Manifest = yaml.safe_load("\n".join(lines[start:]))
    return found


def test_what_scales_is_there_and_what_serves_stays() -> None:
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for each in manifests()
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    assert scaled == {"web", "worker-mcp", "worker"}
    kept = {each["metadata"]["name"] for each in manifests() if each["kind"] == "PodDisruptionBudget"}
    assert kept == {"web", "worker-mcp"}
