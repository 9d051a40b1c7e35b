"""Dashboard and alerts: every metric and label they name is one of a running member, every alert has its page."""

import json
import os
import re
import subprocess
import unittest
import urllib.request

import yaml

from manifests import OBSERVABILITY as FOLDER
from manifests import ROOT

PAGES = "https://github.com/sterna-mq/sterna/blob/main/docs/runbook/"
# What Prometheus adds to each series, and what it keeps itself.
LABELS_OF_PROMETHEUS = {"namespace", "job", "instance"}
SERIES_OF_PROMETHEUS = {"up"}
WORDS_OF_PROMQL = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool"}


def scraped():
    """The labels of each series that the member shows, and their values: name -> label -> values."""
    url = f"http://{os.environ['STERNA_METRICS']}/metrics"
    text = urllib.request.urlopen(url, timeout=10).read().decode()
    series = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        known = series.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            known.setdefault(label, set()).add(value)
    return series


def selectors(expression):
    """The series that a PromQL expression reads: pairs of a name and its matchers (label, operator, value)."""
    for name, matchers in re.findall(r"\b([a-z_]+)(?:\{([^}]*)\})?(?![\w(])", expression):
        if name.startswith("sterna_") or name in SERIES_OF_PROMETHEUS:
            yield name, re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers)


def grouped_labels(expression):
    """The labels in `by (...)` and its like."""
    groups = re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right) \(([^)]*)\)", expression)
    return {label.strip() for group in groups for label in group.split(",") if label.strip()}


class Observability(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.series = scraped()
        cls.alerts = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
        cls.dashboard = json.loads((FOLDER / "dashboard.json").read_text())

    def rules(self):
        return [rule for group in self.alerts["groups"] for rule in group["rules"]]

    def panels(self):
        return [panel for panel in self.dashboard["panels"] if panel["type"] != "row"]

    def judge(self, expression, texts=()):
        """Every series, label and value of the expression is known; so is each label that the texts show."""
        known_labels = set(LABELS_OF_PROMETHEUS)
        found = list(selectors(expression))
        self.assertTrue(found, expression)
        for name, matchers in found:
            if name in SERIES_OF_PROMETHEUS:
                continue
            self.assertIn(name, self.series)
            labels = self.series[name]
            known_labels |= labels.keys()
            for label, _, value in matchers:
                if label not in LABELS_OF_PROMETHEUS:
                    self.assertIn(value, labels.get(label, set()), f"{name}: {label}")
        self.assertLessEqual(grouped_labels(expression), known_labels, expression)
        for text in texts:
            shown = re.findall(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}", text)
            self.assertLessEqual(set(shown), known_labels, text)

    def test_alerts_read_what_a_member_shows(self):
        for rule in self.rules():
            with self.subTest(rule["alert"]):
                self.judge(rule["expr"], rule["annotations"].values())

    def test_panels_read_what_a_member_shows(self):
        self.assertGreater(len(self.panels()), 20)
        for panel in self.panels():
            for target in panel["targets"]:
                with self.subTest(panel["title"]):
                    self.judge(target["expr"], [target["legendFormat"]])

    def test_every_alert_has_a_page(self):
        index = (ROOT / "docs/runbook/README.md").read_text()
        for rule in self.rules():
            with self.subTest(rule["alert"]):
                page = rule["annotations"]["runbook_url"].removeprefix(PAGES)
                self.assertTrue((ROOT / "docs/runbook" / page).exists(), page)
                self.assertIn(f"`{rule['alert']}`", index)

    def test_panels_have_numbers_of_their_own_and_do_not_overlap(self):
        panels = self.dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            self.assertLessEqual(columns.stop, 24)
            cells = {(column, row) for column in columns for row in rows}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells

    def test_every_alert_looks_at_one_job(self):
        """For which the chart puts the release."""
        for rule in self.rules():
            for name, matchers in selectors(rule["expr"]):
                with self.subTest(rule["alert"], series=name):
                    self.assertIn(("job", "=", "sterna"), matchers)

    def test_every_alert_fires_in_a_story(self):
        tests = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
        told = {case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
        for case in (case for test in tests for case in test.get("promql_expr_test", [])):
            told |= {name for sample in case["exp_samples"] for name in re.findall(r'alertname="(\w+)"', sample["labels"])}
        self.assertEqual({rule["alert"] for rule in self.rules()} - told, set())

    def test_the_rules_do_what_they_say(self):
        subprocess.run(["promtool", "check", "rules", FOLDER / "alerts.yaml"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["promtool", "test", "rules", FOLDER / "alerts_test.yaml"], check=True, stdout=subprocess.DEVNULL)

    def test_the_expressions_of_the_panels_are_promql(self):
        expressions = [target["expr"] for panel in self.panels() for target in panel["targets"]]
        # A recording rule for each, so that promtool reads them; Grafana's variables stand for these.
        rules = [
            {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
            for number, expression in enumerate(expressions)
        ]
        groups = yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]})
        subprocess.run(["promtool", "check", "rules", "/dev/stdin"], input=groups.encode(), check=True, stdout=subprocess.DEVNULL)

    def test_a_name_that_no_member_knows_is_found(self):
        for expression in (
            "rate(sterna_publish_total[5m])",
            'sterna_publishes_total{result="denied"}',
            "sum by (topic) (sterna_ready)",
        ):
            with self.subTest(expression), self.assertRaises(AssertionError):
                self.judge(expression)
