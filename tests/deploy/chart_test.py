"""The chart: what it gives by default is deploy/kubernetes, and it refuses what would not work."""

import json
import re
import subprocess
import unittest

from manifests import CHART, KUBERNETES, Refused, objects, one, plain, render, set_value

KIB_PER_CONNECTION = 6  # docs/runbook/memory-full.md
DRAIN_TIME_MAX = 9  # the bound of DrainTime
HAND_OVER_MAX = 10  # docs/runbook/rolling-update.md


def arguments(documents):
    """The parameters that a member is started with."""
    [container] = one(documents, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    return dict(re.match(r"-D([^=]+)=(.*)", argument).groups() for argument in container["args"])


class Chart(unittest.TestCase):
    maxDiff = None

    def test_plain_manifests_are_those_of_the_chart(self):
        written = {path: path.read_text() for path in KUBERNETES.rglob("*.yaml")}
        written.pop(KUBERNETES / "namespace.yaml")
        self.assertEqual(written, plain(), "run `tests/deploy/run --write`")

    def test_helm_finds_no_fault(self):
        lint = subprocess.run(["helm", "lint", "--strict", CHART], capture_output=True, text=True)
        self.assertEqual(lint.returncode, 0, lint.stdout)

    def test_values_that_cannot_work_are_refused(self):
        for value in (
            "replicas=2",
            "replicas=6",
            "seeds=2",
            "replica=3",
            "parameters.memory=1GB",
            "parameters.MaxMessageSize=4194305",
            "parameters.LogLevel=LOUD",
            "parameters.ClusterMembers=a:1",
            "parameters.EntitlementAllowToken=in-the-clear",
            "secret.files.Memory=key",
        ):
            with self.subTest(value), self.assertRaises(Refused):
                render(*set_value(value))

    def test_every_parameter_arrives_as_it_was_given(self):
        given = {
            "MaxDescriptors": 1000000,
            "Memory": "1 GB",
            "Rest.Enable": True,
            "SnapshotExpireTime": "never",
            "Cors.AllowedOrigins": "https://$(POD_NAME).example",
        }
        values = [option for name, value in given.items() for option in ("--set-json", to_json(name, value))]
        found = arguments(objects(render(*values).values()))
        self.assertEqual(found["MaxDescriptors"], "1000000")
        self.assertEqual(found["Memory"], "1 GB")
        self.assertEqual(found["Rest.Enable"], "true")
        self.assertEqual(found["SnapshotExpireTime"], "never")
        self.assertEqual(found["Cors.AllowedOrigins"], "https://$$(POD_NAME).example", "as Kubernetes escapes it")

    def test_members_are_named_alike_whatever_the_release_is_called(self):
        found = arguments(objects(render(*set_value("membersMax=3"), name="a", namespace="b").values()))
        self.assertEqual(found["ClusterMembers"], ",".join(f"a-{slot}.a-members.b.svc:8801" for slot in range(3)))
        self.assertEqual(found["ClusterMemberListen"], "$(POD_NAME).a-members.b.svc:8801")

    def test_no_secret_is_made_and_none_is_in_the_clear(self):
        documents = objects(render().values())
        self.assertNotIn("Secret", [document["kind"] for document in documents])
        found = arguments(documents)
        self.assertEqual(found["ClusterPasswordFile"], "/run/secrets/sterna/cluster-password")
        self.assertEqual(found["EntitlementAllowTokenFile"], "/run/secrets/sterna/allow-token")

    def test_memory_fits_into_the_limit_of_the_container(self):
        documents = objects(render().values())
        [container] = one(documents, "StatefulSet")["spec"]["template"]["spec"]["containers"]
        limit_mib = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
        memory_mib = int(arguments(documents)["Memory"].removesuffix("MB"))
        connections = 10_000
        self.assertLessEqual(memory_mib, 0.7 * limit_mib - connections * KIB_PER_CONNECTION / 1024)

    def test_the_grace_period_is_enough_for_the_longest_drain(self):
        pod = one(objects(render().values()), "StatefulSet")["spec"]["template"]["spec"]
        [container] = pod["containers"]
        sleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        self.assertGreater(pod["terminationGracePeriodSeconds"], sleep + HAND_OVER_MAX + DRAIN_TIME_MAX)

    def test_scaling_stays_between_seeds_and_places_one_member_at_a_time(self):
        documents = objects(render(*set_value("autoscaling.enabled=true")).values())
        spec = one(documents, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual((spec["minReplicas"], spec["maxReplicas"]), (3, 5))
        for direction in spec["behavior"].values():
            self.assertEqual([(policy["type"], policy["value"]) for policy in direction["policies"]], [("Pods", 1)])

    def test_with_tls_clients_find_no_plain_port(self):
        documents = objects(render(*set_value("tls.secretName=sterna-tls")).values())
        [service] = [d for d in documents if d["kind"] == "Service" and d["spec"].get("clusterIP") != "None"]
        self.assertEqual(service["spec"]["ports"], [{"name": "client-tls", "port": 443, "targetPort": "client-tls"}])
        clients, members, _ = one(documents, "NetworkPolicy")["spec"]["ingress"]
        self.assertEqual(clients, {"ports": [{"port": "client-tls"}]})
        self.assertEqual(members["ports"], [{"port": 8801, "endPort": 8804}])

    def test_alerts_and_dashboard_are_those_of_observability(self):
        options = *set_value("monitoring.alertRules.enabled=true"), *set_value("monitoring.dashboard.enabled=true")
        documents = objects(render(*options).values())
        folder = CHART.parents[1] / "observability"
        [alerts] = objects([(folder / "alerts.yaml").read_text()])
        self.assertEqual(one(documents, "PrometheusRule")["spec"], alerts)
        dashboard = one(documents, "ConfigMap")["data"]["sterna.json"]
        self.assertEqual(dashboard.strip(), (folder / "dashboard.json").read_text().strip())


def to_json(name, value):
    """A parameter for `--set-json`, where a dot in a name is written with a backslash."""
    return f"parameters.{name.replace('.', chr(92) + '.')}={json.dumps(value)}"
