"""The dashboard, the alerts and their runbooks name what there is: no Grafana, no Prometheus is at hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import gauges
from core import metrics

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = (ROOT / "docs" / "observability.md").read_text()
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
METRIC = re.compile(r"\bmcp_connector_\w+")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def existing() -> set[str]:
    return {name for name in metrics.declared if name.startswith("mcp_connector_")} | set(gauges.MEANINGS)


def named(text: str) -> set[str]:
    return {found if found in existing() else SUFFIX.sub("", found) for found in METRIC.findall(text)}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def anchors() -> set[str]:
    headings = re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_the_documentation_describes_every_metric_and_no_other() -> None:
    rows = {
        name
        for row in re.findall(r"^\| (`mcp.*?`) \|", DOCUMENT, re.MULTILINE)
        for name in METRIC.findall(row)
    }
    assert rows == existing()


def test_alerts_and_dashboard_name_metrics_that_exist() -> None:
    assert named(ALERTS.read_text()) <= existing()
    assert all(named(expression) for expression in expressions())
    assert named("\n".join(expressions())) <= existing()


def test_the_dashboard_shows_every_metric() -> None:
    assert named("\n".join(expressions())) == existing()


def test_an_autoscaler_goes_by_a_metric_that_exists() -> None:
    text = (ROOT / "deploy" / "kubernetes" / "autoscaling.yaml").read_text()
    assert named(text) == {"mcp_connector_queue_messages"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    document, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert document == "docs/observability.md"
    assert anchor in anchors()


@pytest.mark.parametrize("expression", [*expressions(), *(rule["expr"] for rule in rules())])
def test_an_expression_is_balanced(expression: str) -> None:
    unquoted = re.sub(r'"[^"]*"', '""', expression)
    for opening, closing in ("()", "{}", "[]"):
        assert unquoted.count(opening) == unquoted.count(closing)


def test_panels_have_places_and_ids_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({tuple(panel["gridPos"].values()) for panel in panels}) == len(panels)
