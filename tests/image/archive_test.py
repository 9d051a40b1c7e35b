#!/usr/bin/python3
"""The archive is a valid image, small, and holds what the documents say.

    archive_test.py ARCHIVE BUNDLE

Writes the unpacked image to the new folder BUNDLE. Needs root, skopeo, umoci.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]
BYTES_MAX = 60_000_000

archive, bundle = map(Path, sys.argv[1:])


def read(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# skopeo reads every blob and compares its digest, as a registry does.
with tempfile.TemporaryDirectory() as folder:
    read("skopeo", "copy", "--quiet", f"oci-archive:{archive}", f"dir:{folder}/copy")
image = json.loads(read("skopeo", "inspect", "--config", f"oci-archive:{archive}"))
config = image["config"]
assert config["User"] == "65532:65532", "a number, so that runAsNonRoot can be judged"
assert config["WorkingDir"] == "/sterna" and config["Entrypoint"] == ["sterna"], config
assert {f"{port}/tcp" for port in range(8800, 8805)} <= set(config["ExposedPorts"]), config
assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0", config
version = config["Labels"]["org.opencontainers.image.version"]
assert archive.name == f"sterna-{version}-{image['architecture']}.oci.tar", archive

with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(archive) as layout:
        layout.extractall(folder)
    read("umoci", "unpack", "--image", f"{folder}:docker.io/library/sterna:{version}", bundle)
root = bundle / "rootfs"
files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
unpacked = sum(path.stat().st_size for path in files)
print(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB, unpacked {unpacked / 1e6:.1f} MB")
assert max(unpacked, archive.stat().st_size) < BYTES_MAX

# What the tutorial's command and people need; bash and hostname are the real ones.
for name in ["bash", "hostname", "sterna"]:
    assert not (root / "usr/bin" / name).is_symlink(), name
for name in ["sh", "env", "sleep", "ls", "cat", "ps", "tar", "wget"]:
    assert (root / "usr/bin" / name).is_symlink(), name
script = PROJECT / "deploy/image/start-migratorydata.sh"
assert (root / "sterna/start-migratorydata.sh").read_text() == script.read_text()
assert (root / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 100
owners = {(path.stat().st_uid, path.stat().st_gid) for path in files}
assert all(user == 0 for user, _ in owners), f"the server could change its own files: {owners}"
assert not [path for path in files if path.stat().st_mode & 0o6000], "nobody gets the rights of another"

# Scanners find the packages of Debian here, and the crates there.
packages = re.findall(r"^Package: (.+)\nStatus: install ok installed$", (root / "var/lib/dpkg/status").read_text(), re.M)
assert {"bash", "libc6"} <= set(packages), packages
bill = json.loads((root / "usr/share/sterna/sterna.cdx.json").read_text())
assert bill["metadata"]["component"]["version"] == version
crates = [component["name"] for component in bill["components"]]
assert {"raft", "rustls", "sterna-broker"} <= set(crates) and "proptest" not in crates, crates

rust = re.search(r'^rust-version = "(.+)"', (PROJECT / "Cargo.toml").read_text(), re.M)[1]
assert f"\nFROM rust:{rust}-" in (PROJECT / "deploy/image/Dockerfile").read_text(), f"it builds with Rust {rust}"
