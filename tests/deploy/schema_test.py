"""Manifests against the schemas of every Kubernetes version that we promise: the tutorial's, ours, the chart's."""

import pathlib
import unittest

import kubernetes_validate

from manifests import KUBERNETES, ROOT, objects, render, set_value

VERSIONS = ["1.29", "1.30", "1.31", "1.32", "1.33", "1.34"]
TUTORIAL = [
    *(ROOT / "crates/sterna/tests/cluster/fixtures").glob("*.yaml"),
    *(pathlib.Path(__file__).parent / "tutorial").glob("*.yaml"),
]
# Kinds of the Prometheus Operator, of which the schemas know nothing.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
VARIANTS = {
    "default": [],
    "autoscaled": ["autoscaling.enabled=true"],
    "encrypted": ["tls.secretName=a", "memberTls.secretName=b"],
    "observed": [f"monitoring.{part}.enabled=true" for part in ("serviceMonitor", "alertRules", "dashboard")],
    "with volumes": ["persistence.enabled=true", "persistence.storageClassName=fast"],
    "in full": [
        "imagePullSecrets[0].name=registry",
        "service.annotations.example=yes",
        "networkPolicy.clients[0].ipBlock.cidr=10.0.0.0/8",
        "networkPolicy.monitoring[0].namespaceSelector.matchLabels.name=monitoring",
        "podAnnotations.example=yes",
        "podLabels.example=yes",
        "nodeSelector.pool=sterna",
        "tolerations[0].key=pool,tolerations[0].operator=Exists",
        "priorityClassName=high",
        "extraVolumes[0].name=keys,extraVolumes[0].configMap.name=keys",
        "extraVolumeMounts[0].name=keys,extraVolumeMounts[0].mountPath=/etc/keys",
    ],
    "within the cluster": ["service.type=ClusterIP", "networkPolicy.enabled=false"],
}


def judge(document, version):
    """Nothing if the document is what that version of Kubernetes takes, without a field that it does not know."""
    if document["kind"] not in FOREIGN:
        kubernetes_validate.validate(document, version, strict=True)


class Schemas(unittest.TestCase):
    def judge(self, documents):
        self.assertTrue(documents)
        for document in documents:
            for version in VERSIONS:
                with self.subTest(kind=document["kind"], version=version):
                    judge(document, version)

    def test_the_tutorials_manifests(self):
        documents = objects(path.read_text() for path in TUTORIAL)
        kinds = sorted(document["kind"] for document in documents)
        expected = ["HorizontalPodAutoscaler", "Namespace", "PodDisruptionBudget", "Service", "Service", "StatefulSet"]
        self.assertEqual(kinds, expected)
        self.judge(documents)

    def test_our_manifests(self):
        self.judge(objects(path.read_text() for path in KUBERNETES.rglob("*.yaml")))

    def test_the_chart(self):
        for name, values in VARIANTS.items():
            with self.subTest(name):
                self.judge(objects(render(*[option for value in values for option in set_value(value)]).values()))

    def test_a_misspelt_field_is_found(self):
        [document] = objects([(KUBERNETES / "disruption-budget.yaml").read_text()])
        document["spec"]["maxUnavailble"] = 1
        for version in VERSIONS:
            with self.subTest(version), self.assertRaises(kubernetes_validate.ValidationError):
                judge(document, version)
