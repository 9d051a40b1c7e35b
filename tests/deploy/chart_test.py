"""The chart: what it gives by default is deploy/kubernetes, and it refuses what would not work."""

import json
import re
import subprocess
import unittest

from manifests import CHART, KUBERNETES, OBSERVABILITY, Refused, copies, objects, one, plain, render, set_value

KIB_PER_CONNECTION = 6  # docs/runbook/memory-full.md
DRAIN_TIME_MAX = 9  # the bound of DrainTime
HAND_OVER_MAX = 10  # docs/runbook/rolling-update.md
# Values that cannot work, and what helm's message names.
REFUSED = {
    "replicas=2": "replicas",
    "replicas=6": "replicas",
    "seeds=2": "seeds",
    "replica=3": "replica",
    "parameters.memory=1GB": "parameters",
    "parameters.MaxMessageSize=4194305": "parameters.MaxMessageSize",
    "parameters.LogLevel=LOUD": "parameters.LogLevel",
    "parameters.ClusterMembers=a:1": "ClusterMembers",
    "parameters.EntitlementAllowToken=in-the-clear": "EntitlementAllowToken",
    "parameters.Entitlement=Custom": "parameters.Entitlement",
    "parameters.RunAsUser=nobody": "RunAsUser",
    "parameters.LogFolder=/var/log/sterna": "parameters.LogFolder",
    "secret.files.Memory=key": "Memory",
    "image.digest=sha256:1": "image.digest",
    "terminationGracePeriodSeconds=29": "terminationGracePeriodSeconds",
    "podLabels.app\\.kubernetes\\.io/name=another": "podLabels",
}


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
        for value, named in REFUSED.items():
            with self.subTest(value), self.assertRaisesRegex(Refused, rf"(?m)\b{re.escape(named)}\b"):
                render(*set_value(value))

    def test_names_that_no_service_can_have_are_refused(self):
        render(name="a-1")
        for name in ("a.b", "1abc", "a" * 53):
            with self.subTest(name), self.assertRaisesRegex(Refused, f"release name {name}"):
                render(name=name)

    def test_every_parameter_arrives_as_it_was_given(self):
        given = {
            "MaxDescriptors": 1000000,
            "Memory": "1 GB",
            "Rest.Enable": True,
            "SnapshotExpireTime": "never",
            "Cors.AllowedOrigins": "https://$(POD_NAME).example",
            "MonitorUsername": "$$a$",
            "MaxConnections": 0,
            "Stats.LogInterval": "0",
        }
        values = [option for name, value in given.items() for option in ("--set-json", to_json(name, value))]
        found = arguments(objects(render(*values).values()))
        for name, value in given.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self.assertEqual(expanded(found[name]), text, name)

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
        self.assertEqual(clients, {"ports": [{"port": 8443}]})
        self.assertEqual(members["ports"], [{"port": port} for port in range(8801, 8805)])

    def test_the_network_policy_opens_the_ports_that_members_listen_on(self):
        documents = objects(render().values())
        clients, _, monitoring = one(documents, "NetworkPolicy")["spec"]["ingress"]
        [container] = one(documents, "StatefulSet")["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        self.assertEqual(clients, {"ports": [{"port": ports["client"]}]})
        self.assertEqual(monitoring["ports"], [{"port": ports["metrics"]}])

    def test_placement_and_context_of_pods_are_the_users_if_given(self):
        options = ("affinity.nodeAffinity.a=b", "topologySpreadConstraints[0].maxSkew=2", "podSecurityContext.runAsUser=null")
        given, own = (
            one(objects(render(*values).values()), "StatefulSet")["spec"]["template"]["spec"]
            for values in ([part for option in options for part in set_value(option)], [])
        )
        self.assertEqual(given["affinity"], {"nodeAffinity": {"a": "b"}})
        self.assertEqual(given["topologySpreadConstraints"], [{"maxSkew": 2}])
        self.assertEqual(own["securityContext"].pop("runAsUser"), 65532)
        self.assertEqual(given["securityContext"], own["securityContext"])
        self.assertEqual((list(own["affinity"]), len(own["topologySpreadConstraints"])), (["podAntiAffinity"], 2))

    def test_a_digest_is_taken_instead_of_a_tag(self):
        digest = f"sha256:{64 * 'a'}"
        pod = one(objects(render(*set_value(f"image.digest={digest}")).values()), "StatefulSet")["spec"]["template"]["spec"]
        self.assertEqual(pod["containers"][0]["image"], f"sterna@{digest}")

    def test_alerts_and_dashboard_are_those_of_observability(self):
        self.assertEqual({path: path.read_text() for path in copies()}, copies(), "run `tests/deploy/run --write`")
        documents = objects(render(*set_value("monitoring.dashboard.enabled=true")).values())
        dashboard = one(documents, "ConfigMap")["data"]["sterna.json"]
        self.assertEqual(dashboard.strip(), (OBSERVABILITY / "dashboard.json").read_text().strip())

    def test_the_alerts_are_about_this_release(self):
        text = (OBSERVABILITY / "alerts.yaml").read_text()
        [alerts] = objects([text.replace('job="sterna"', 'namespace="b", job="a"')])
        self.assertEqual(alert_groups(name="a", namespace="b"), alerts["groups"])
        monitor = one(objects(render(*set_value("monitoring.serviceMonitor.enabled=true"), name="a").values()), "ServiceMonitor")
        services = [d for d in objects(render(name="a").values()) if d["kind"] == "Service"]
        self.assertEqual({service["metadata"]["labels"][monitor["spec"]["jobLabel"]] for service in services}, {"a"})

    def test_where_members_do_not_agree_no_alert_is_about_agreement(self):
        for mode in ("Standard", "automatic", "null"):
            with self.subTest(mode):
                groups = [group["name"] for group in alert_groups(f"parameters.ClusterDeliveryMode={mode}")]
                self.assertEqual(groups, ["sterna-members", "sterna-clients"])


def alert_groups(*values, **release):
    """The groups of rules that the chart makes."""
    options = [option for value in ("monitoring.alertRules.enabled=true", *values) for option in set_value(value)]
    return one(objects(render(*options, **release).values()), "PrometheusRule")["spec"]["groups"]


def expanded(argument):
    """What Kubernetes makes of an argument: two dollars are one, and names of variables are replaced."""
    return re.sub(r"\$\$|\$\(\w+\)", lambda found: "$" if found[0] == "$$" else "a variable", argument)


def to_json(name, value):
    """A parameter for `--set-json`, where a dot in a name is written with a backslash."""
    return f"parameters.{name.replace('.', chr(92) + '.')}={json.dumps(value)}"
