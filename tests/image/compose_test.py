#!/usr/bin/python3
"""deploy/compose/compose.yaml is valid, and its members form a cluster: as it starts them, on a network of namespaces.

    compose_test.py BUNDLE

BUNDLE is the image, unpacked by umoci. Needs root, docker-compose (which judges the file and needs no engine for that),
python3-yaml, iproute2, util-linux.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "deploy/compose/compose.yaml"
CONTAIN = Path(__file__).parent / "contain"
BUNDLE = Path(sys.argv[1])
DEADLINE_S = 60  # only a failing test waits so long
PREFIX = f"sterna-compose-{os.getpid()}-"
SWITCH = PREFIX + "switch"


def run(line):
    return subprocess.run(shlex.split(line), check=True, stdout=subprocess.PIPE, text=True).stdout


def judge(compose):
    """What a member is allowed, and what Prometheus asks."""
    members = {name: it for name, it in compose["services"].items() if it["image"] == "sterna"}
    assert len(members) == 3, members
    ports = set()
    for name, member in members.items():
        assert member["hostname"] == name, "ClusterMembers says so"
        assert member["read_only"] and member["cap_drop"] == ["ALL"], name
        assert member["security_opt"] == ["no-new-privileges:true"], name
        assert member["pull_policy"] == "never", "the image is in no registry"
        ports.update(member["ports"])
    # Two services that build one image at a time disturb each other.
    [build] = [member["build"] for member in members.values() if "build" in member]
    assert (Path(build["context"]) / build["dockerfile"]).exists(), build
    assert ports == {f"127.0.0.1:88{n}0:8800/tcp" for n in range(3)}, "the token is public; nobody else may connect"
    prometheus = compose["services"]["prometheus"]
    scraped = yaml.safe_load(Path(prometheus["volumes"][0].split(":")[0]).read_text())
    [job] = scraped["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"{name}:9900" for name in members], job
    return members


def connect(members):
    """A network namespace for each member, on one bridge, with the names of all."""
    run(f"ip netns add {SWITCH}")
    run(f"ip -n {SWITCH} link add members type bridge forward_delay 0")
    run(f"ip -n {SWITCH} link set members up")
    addresses = {name: f"10.79.0.{n}" for n, name in enumerate(members, 1)}
    hosts = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in addresses.items())
    for n, (name, address) in enumerate(addresses.items()):
        space = PREFIX + name
        etc = Path("/etc/netns") / space
        etc.mkdir(parents=True)
        (etc / "hosts").write_text(hosts)
        run(f"ip netns add {space}")
        run(f"ip -n {SWITCH} link add member{n} type veth peer name eth0 netns {space}")
        run(f"ip -n {SWITCH} link set member{n} master members up")
        run(f"ip -n {space} addr add {address}/24 dev eth0")
        run(f"ip -n {space} link set eth0 up")
        run(f"ip -n {space} link set lo up")


def start(name, member, log):
    entrypoint = json.loads((BUNDLE / "config.json").read_text())["process"]["args"]
    command = ["ip", "netns", "exec", PREFIX + name, CONTAIN, BUNDLE, name, *entrypoint, *member["command"]]
    environment = {"PATH": os.environ["PATH"], **member["environment"]}
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def first_process(container):
    """Process 1 of a container, by its number outside."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    return wait_for(lambda: int((children.read_text().split() or [0])[0]), "a container runs")


def inside(first, command):
    """Whether a command succeeds in a container, as a health check or a client there."""
    enter = ["nsenter", "--target", str(first), "--mount", "--net", "--pid", "--root"]
    return subprocess.run(enter + command, capture_output=True, timeout=DEADLINE_S).returncode == 0


def wait_for(holds, what):
    end = time.monotonic() + DEADLINE_S
    while not (it := holds()):
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.05)
    return it


def story(members, containers):
    firsts = {name: first_process(container) for name, container in containers.items()}
    for name, first in firsts.items():
        kind, *check = members[name]["healthcheck"]["test"]
        assert kind == "CMD", kind
        wait_for(lambda: inside(first, check) or containers[name].poll() is not None, f"{name} is healthy")
        assert containers[name].poll() is None, f"{name} has ended"
    one, *_, three = firsts.values()
    assert inside(one, ["sterna", "pub", "/compose", "hello", "--token", "some-token"])
    assert inside(three, ["sterna", "sub", "/compose", "--history", "1", "--count", "1"])
    for first in firsts.values():
        os.kill(first, signal.SIGTERM)
    for name, container in containers.items():
        assert container.wait(30) == 0, f"{name} did not end well"


def remove():
    for space in run("ip netns list").split():
        if space.startswith(PREFIX):
            run(f"ip netns delete {space}")
    for etc in Path("/etc/netns").glob(PREFIX + "*"):
        (etc / "hosts").unlink(missing_ok=True)
        etc.rmdir()


def main():
    members = judge(yaml.safe_load(run(f"docker-compose -f {COMPOSE} --profile metrics config")))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing is left behind
    containers = {}
    log = tempfile.TemporaryFile("w+")
    try:
        connect(members)
        containers = {name: start(name, member, log) for name, member in members.items()}
        story(members, containers)
    except BaseException:
        log.seek(0)
        print(log.read(), file=sys.stderr)
        raise
    finally:
        for container in containers.values():
            container.kill()  # with it goes what runs inside
            container.wait()
        remove()
    print(f"{len(members)} members of compose.yaml are a cluster")


main()
