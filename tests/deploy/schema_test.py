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
# Kinds of the Prometheus Operator, of which the schemas know nothing: the fields of `spec` that we use, those that must be
# there, and the same for what is in their lists.
FOREIGN = {
    "ServiceMonitor": ({"jobLabel", "selector", "endpoints"}, {"selector", "endpoints"}),
    "PrometheusRule": ({"groups"}, {"groups"}),
}
ENDPOINT = {"port", "interval", "basicAuth", "relabelings"}
RULE = {"alert", "expr", "for", "labels", "annotations"}
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
        "parameters.LogFolder=/etc/keys",
        f"image.digest=sha256:{64 * '0'}",
        "service.loadBalancerClass=example.com/inside",
        "service.loadBalancerSourceRanges[0]=10.0.0.0/8",
        "monitoring.serviceMonitor.basicAuth.username.name=sterna,monitoring.serviceMonitor.basicAuth.username.key=user",
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=rack",
        "topologySpreadConstraints[0].topologyKey=rack,topologySpreadConstraints[0].maxSkew=1",
        "topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule",
        "serviceAccount.name=sterna",
        "podSecurityContext.runAsUser=null",
        "terminationGracePeriodSeconds=60",
        "revisionHistoryLimit=3",
        "extraEnv[0].name=TZ,extraEnv[0].value=UTC",
    ],
}
VARIANTS["all of it"] = [value for values in VARIANTS.values() for value in values]
VARIANTS["within the cluster"] = ["service.type=ClusterIP", "networkPolicy.enabled=false"]


def judge(document, version):
    """Nothing if the document is what that version of Kubernetes takes, without a field that it does not know."""
    if document["kind"] in FOREIGN:
        judge_foreign(document)
    else:
        kubernetes_validate.validate(document, version, strict=True)


def judge_foreign(document):
    """As far as it goes: kind, version, and which fields there are."""
    spec = document["spec"]
    fields, required = FOREIGN[document["kind"]]
    assert document["apiVersion"] == "monitoring.coreos.com/v1"
    assert required <= spec.keys() <= fields, spec.keys()
    for endpoint in spec.get("endpoints", []):
        assert {"port"} <= endpoint.keys() <= ENDPOINT, endpoint
    for group in spec.get("groups", []):
        assert group.keys() == {"name", "rules"}, group.keys()
        for rule in group["rules"]:
            assert RULE - {"for"} <= rule.keys() <= RULE, rule
            assert all(isinstance(rule[field], str) for field in ("alert", "expr")), rule
    labels = [*document["metadata"]["labels"].values(), *spec.get("selector", {}).get("matchLabels", {}).values()]
    assert all(isinstance(label, str) for label in labels), labels


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

    def test_a_misspelt_field_of_a_foreign_kind_is_found(self):
        [document] = objects([(KUBERNETES / "optional/service-monitor.yaml").read_text()])
        judge(document, VERSIONS[0])
        document["spec"]["endpoint"] = document["spec"].pop("endpoints")
        with self.assertRaises(AssertionError):
            judge(document, VERSIONS[0])
