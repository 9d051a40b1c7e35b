"""The manifests of deploy/: rendered from the chart; deploy/kubernetes, which is written from it; and the chart's copies of
deploy/observability, because helm warns of links."""

import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/sterna"
KUBERNETES = ROOT / "deploy/kubernetes"
OBSERVABILITY = ROOT / "deploy/observability"
COPIES = ("alerts.yaml", "dashboard.json")
HEAD = "# Written from deploy/helm/sterna by `tests/deploy/run --write`; change it there.\n"
# Further files of deploy/kubernetes: what the chart is asked for, and which template gives the file.
OPTIONAL = {
    "autoscaler.yaml": "autoscaling.enabled=true",
    "service-monitor.yaml": "monitoring.serviceMonitor.enabled=true",
}


class Refused(Exception):
    """Helm did not take the values."""


def render(*options, name="sterna", namespace="sterna"):
    """What helm makes of the chart: the text of each template that gives something."""
    command = ["helm", "template", name, CHART, "--namespace", namespace, *options]
    output = subprocess.run(command, capture_output=True, text=True)
    if output.returncode != 0:
        raise Refused(output.stderr)
    sources = re.split(r"^---\n# Source: sterna/templates/(.*)\n", output.stdout, flags=re.MULTILINE)
    return dict(zip(sources[1::2], sources[2::2]))


def objects(texts):
    """The objects in some YAML texts."""
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def one(documents, kind):
    """The only object of that kind."""
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def set_value(value):
    """Options for helm that set one value."""
    return "--set", value


def plain():
    """What deploy/kubernetes is to contain, but for the namespace: text by path."""
    files = {name: HEAD + text for name, text in render().items()}
    for name, value in OPTIONAL.items():
        files[f"optional/{name}"] = HEAD + render(*set_value(value))[name]
    return {KUBERNETES / name: text.rstrip() + "\n" for name, text in files.items()}


def copies():
    """What the chart is to have of deploy/observability: text by path."""
    return {CHART / "files" / name: (OBSERVABILITY / name).read_text() for name in COPIES}


if __name__ == "__main__":
    for path, text in (copies() | plain()).items():
        path.write_text(text)
        print("wrote", path.relative_to(ROOT))
