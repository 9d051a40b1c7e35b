"""The pods of the chart as processes in namespaces: command, arguments, user, rights, secrets and probes are those of the
StatefulSet. Run as root in namespaces of its own (see `run`), which stand for the node."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from manifests import ROOT, objects, one, render, set_value

BINARY = os.environ["STERNA_BINARY"]
TOKEN = "token-of-the-pods"
PODS_MAX = 5
REPLICAS = 3
DOMAIN = "sterna-members.sterna.svc"
# A busy machine may take this long for anything; a test that passes waits for what happens, not for the time.
PATIENCE_S = 60
# What a container runtime does: its own files, a root that nobody can write to, and no rights.
CONTAINER = r"""
set -e
mount --bind "$HOSTS" /etc/hosts
mount -t tmpfs tmpfs /run
mkdir /run/bin
cp "$BINARY" /run/bin/sterna
for volume in $VOLUMES; do
    mkdir -p "${volume#*:}"
    install -m 440 -g "$USER_ID" "$SECRETS/${volume%%:*}"/* "${volume#*:}"
done
mount -o remount,ro /run
mount -o remount,bind,ro /
cd /
exec setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
    env -i PATH="/run/bin:$PATH" POD_NAME="$POD_NAME" "$@"
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def get(url):
    """Status and text of an answer; no status if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()
    except OSError:
        return None, ""


def eventually(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.1)


def name_of(ordinal):
    return f"sterna-{ordinal}"


def address_of(ordinal):
    return f"10.99.0.{10 + ordinal}"


def setUpModule():
    """The node: a switch, and a network for each pod."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ip("link", "add", "switch", "type", "bridge")
    ip("address", "add", "10.99.0.1/24", "dev", "switch")
    for link in ("lo", "switch"):
        ip("link", "set", link, "up")
    for ordinal in range(PODS_MAX):
        name = name_of(ordinal)
        ip("netns", "add", name)
        ip("link", "add", f"veth{ordinal}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"veth{ordinal}", "master", "switch", "up")
        ip("-n", name, "address", "add", f"{address_of(ordinal)}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", name, "link", "set", link, "up")


def write_files(node):
    """What every pod of a node finds: names and secrets."""
    # What the headless service gives, ready or not, and the short name that each pod has for itself.
    hosts = [f"{address_of(ordinal)} {name_of(ordinal)}.{DOMAIN} {name_of(ordinal)}" for ordinal in range(PODS_MAX)]
    (node / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts]) + "\n")
    secrets = {"cluster-password": "password-of-the-pods", "allow-token": TOKEN}
    (node / "secrets/sterna").mkdir(parents=True)
    for key, value in secrets.items():
        (node / "secrets/sterna" / key).write_text(value)


def write_certificates(node):
    """One authority and one certificate, for clients and between members."""
    names = [f"DNS:{name_of(ordinal)}.{DOMAIN},IP:{address_of(ordinal)}" for ordinal in range(PODS_MAX)]
    (node / "names").write_text(f"subjectAltName={','.join(names)}\n")
    folder = node / "secrets/certificates"
    folder.mkdir()
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for arguments in (
        ["req", "-x509", *new_key, "-subj", "/CN=authority", "-keyout", node / "ca.key", "-out", folder / "ca.crt"],
        ["req", *new_key, "-subj", "/CN=sterna", "-keyout", folder / "tls.key", "-out", node / "request"],
        ["x509", "-req", "-in", node / "request", "-CA", folder / "ca.crt", "-CAkey", node / "ca.key", "-CAcreateserial"]
        + ["-extfile", node / "names", "-out", folder / "tls.crt"],
    ):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return folder / "ca.crt"


class Pod:
    """One pod of the StatefulSet, and what the kubelet does to it."""

    def __init__(self, node, ordinal, spec):
        self.node = node
        self.spec = spec
        [self.container] = spec["containers"]
        self.name = name_of(ordinal)
        self.address = address_of(ordinal)
        self.log = node / f"{self.name}.log"

    def start(self):
        secrets = {volume["name"]: volume["secret"]["secretName"] for volume in self.spec["volumes"]}
        mounts = [f"{secrets[mount['name']]}:{mount['mountPath']}" for mount in self.container["volumeMounts"]]
        command = ["ip", "netns", "exec", self.name, "unshare", "--mount", "--pid", "--fork"]
        command += ["bash", "-c", CONTAINER, "container", *self.container["command"], *self.arguments()]
        environment = os.environ | {
            "HOSTS": str(self.node / "hosts"),
            "SECRETS": str(self.node / "secrets"),
            "VOLUMES": " ".join(mounts),
            "USER_ID": str(self.spec["securityContext"]["runAsUser"]),
            "POD_NAME": self.name,
            "BINARY": BINARY,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self):
        if self.process.poll() is None:
            # The first process, not its parent: when that is over, nothing of the pod is left.
            os.kill(self.pid(), signal.SIGKILL)
            self.process.wait()

    def arguments(self):
        """As the kubelet expands them."""
        variables = {"$(POD_NAME)": self.name, "$$": "$"}
        expand = lambda found: variables[found[0]]
        return [re.sub(r"\$\(POD_NAME\)|\$\$", expand, argument) for argument in self.container["args"]]

    def pid(self):
        """The container's first process, as seen from here."""
        parent = self.process.pid
        return int(pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text())

    def probe(self, kind):
        """The answer to a probe: its status, and what it says."""
        probe = self.container[f"{kind}Probe"]["httpGet"]
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        return get(f"http://{self.address}:{ports[probe['port']]}{probe['path']}")

    def is_ready(self):
        return self.probe("readiness")[0] == 200

    def epoch(self):
        return json.loads(self.probe("readiness")[1])["epoch"]

    def execute(self, script):
        """What `kubectl exec` would print."""
        identity = str(self.spec["securityContext"]["runAsUser"])
        command = ["nsenter", "--target", str(self.pid()), "--all", "--setuid", identity, "--setgid", identity]
        environment = {"PATH": f"/run/bin:{os.environ['PATH']}"}
        command += ["bash", "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout

    def terminate(self):
        """SIGTERM, and the exit code within the time that is left of the grace period after preStop."""
        sleep_s = int(self.container["lifecycle"]["preStop"]["exec"]["command"][1])
        os.kill(self.pid(), signal.SIGTERM)
        return self.process.wait(self.spec["terminationGracePeriodSeconds"] - sleep_s)


class Pods(unittest.TestCase):
    """As the plain manifests have them."""

    values = ()
    scheme, port = "ws", 8800
    trusted = ()
    # For `sterna cluster status`, as docs/deploy/kubernetes.md has them.
    status_options = " --member sterna-0:8801"

    @classmethod
    def setUpClass(cls):
        cls.node = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.node)
        write_files(cls.node)
        cls.prepare()
        options = [option for value in cls.values for option in set_value(value)]
        statefulset = one(objects(render(*options).values()), "StatefulSet")["spec"]
        cls.spec = statefulset["template"]["spec"]
        cls.pods = [cls.start(ordinal) for ordinal in range(REPLICAS)]
        try:
            for pod in cls.pods:
                eventually(pod.is_ready, f"{pod.name} is ready")
        except AssertionError:
            for pod in cls.pods:
                print(f"--- {pod.name}\n{pod.log.read_text()}")
            raise

    @classmethod
    def prepare(cls):
        """More files on the node."""

    @classmethod
    def start(cls, ordinal):
        pod = Pod(cls.node, ordinal, cls.spec)
        pod.start()
        cls.addClassCleanup(pod.kill)
        return pod

    def client(self, command, pod, *arguments):
        server = f"{self.scheme}://{pod.address}:{self.port}"
        command = [BINARY, command, *arguments, "--server", server, *self.trusted]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE_S)

    def publish(self, pod, subject, content, token=TOKEN):
        return self.client("pub", pod, subject, content, "--token", token).returncode

    def newest(self, pod, subject):
        """The newest message of the subject."""
        output = self.client("sub", pod, subject, "--history", "1", "--count", "1", "--json").stdout
        return json.loads(output)["content"]

    def test_started_at_once_they_become_one_cluster(self):
        self.assertEqual(len({pod.epoch() for pod in self.pods}), 1)
        first, _, last = self.pods
        self.assertEqual(self.publish(first, "/pods/cluster", "1"), 0)
        self.assertEqual(self.newest(last, "/pods/cluster"), "1")

    def test_the_token_is_that_of_the_secret(self):
        self.assertNotEqual(self.publish(self.pods[0], "/pods/token", "1", token="some-token"), 0)
        for pod in self.pods:
            for warning in ("ClusterPassword is not set", "EntitlementAllowToken is the public default"):
                self.assertNotIn(warning, pod.log.read_text())

    def test_they_run_without_rights_on_a_root_that_cannot_be_written(self):
        for pod in self.pods:
            process = pathlib.Path(f"/proc/{pod.pid()}")
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
            self.assertEqual(status["Name"], "sterna")
            self.assertEqual(set(status["Uid"].split()), {"65532"})
            self.assertEqual(int(status["CapEff"], 16) | int(status["CapBnd"], 16), 0)
            self.assertEqual(status["NoNewPrivs"], "1")
            mounts = [line.split() for line in (process / "mounts").read_text().splitlines()]
            options = {mount[1]: mount[3].split(",") for mount in mounts}
            self.assertIn("ro", options["/"])
            self.assertIn("ro", options["/run"])

    def test_the_probes_find_what_they_ask_for(self):
        for pod in self.pods:
            self.assertEqual(pod.probe("liveness")[0], 200)
            self.assertEqual(json.loads(pod.probe("readiness")[1])["status"], "ok")

    def test_the_status_of_the_cluster_is_asked_for_as_documented(self):
        page = (ROOT / "docs/deploy/kubernetes.md").read_text()
        [script] = re.findall(r"exec sterna-0 -- bash -c \\\n +'(.*)'", page)
        self.assertIn(self.status_options, page)
        script = script.replace(Pods.status_options, self.status_options)
        is_settled = lambda: re.search(r"settled +yes", self.pods[0].execute(script))
        eventually(is_settled, "nothing is being replaced")

    def test_one_drains_in_time_and_comes_back_empty_while_the_others_serve(self):
        first, second, third = self.pods
        self.assertEqual(self.publish(third, "/pods/drain", "before"), 0)
        epoch = first.epoch()
        self.assertEqual(third.terminate(), 0, third.log.read_text())
        eventually(lambda: first.is_ready() and second.is_ready(), "the others hear a leader")
        self.assertEqual(self.publish(first, "/pods/drain", "meanwhile"), 0)
        third.start()
        eventually(third.is_ready, "the new pod is ready")
        self.assertEqual(self.newest(third, "/pods/drain"), "meanwhile")
        self.assertEqual(third.epoch(), epoch)

    def test_two_more_hold_every_message_and_leave_again(self):
        self.assertEqual(self.publish(self.pods[0], "/pods/scale", "1"), 0)
        more = [self.start(ordinal) for ordinal in range(REPLICAS, PODS_MAX)]
        for pod in more:
            eventually(pod.is_ready, f"{pod.name} is ready")
            self.assertEqual(self.newest(pod, "/pods/scale"), "1")
        for pod in reversed(more):
            self.assertEqual(pod.terminate(), 0, pod.log.read_text())
        self.assertEqual(self.publish(self.pods[0], "/pods/scale", "2"), 0)


class EncryptedPods(Pods):
    """With TLS for clients and between members."""

    values = ("tls.secretName=certificates", "memberTls.secretName=certificates")
    scheme, port = "wss", 8443
    status_options = (
        " --member sterna-0.sterna-members.sterna.svc:8801"
        " --tls-certificate /run/secrets/sterna-member-tls/tls.crt --tls-key /run/secrets/sterna-member-tls/tls.key"
        " --tls-authority /run/secrets/sterna-member-tls/ca.crt"
    )

    @classmethod
    def prepare(cls):
        cls.trusted = ("--ca", write_certificates(cls.node))
