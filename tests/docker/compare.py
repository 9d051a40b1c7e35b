"""Judges that two images are the same: settings, and files with names, rights, owners and bytes.

    compare.py LAYOUT LAYOUT

Each is an OCI layout with one image, named `image`. Only the binary may have other bytes, because it contains the paths
where it was built. Needs root, skopeo, umoci.
"""

import json
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

OTHER_BYTES = {"usr/bin/sterna"}


def settings(layout):
    command = ["skopeo", "inspect", "--config", f"oci:{layout}:image"]
    image = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    names = {"platform": f"{image['os']}/{image['architecture']}"}
    for name, value in image["config"].items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        names.update({f"{name} {part}".strip(): it for part, it in parts})
    return names


def describe(path):
    """What a file is, apart from its bytes."""
    it = path.lstat()
    target = path.readlink() if path.is_symlink() else ""
    return f"{stat.filemode(it.st_mode)} {it.st_uid}:{it.st_gid} {target}".strip()


def files(layout, bundle):
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:image", bundle], check=True)
    root = bundle / "rootfs"
    return root, {str(path.relative_to(root)): describe(path) for path in root.rglob("*")}


def differences(kind, one, two):
    for name in sorted(one.keys() | two.keys()):
        if one.get(name) != two.get(name):
            yield f"{kind} {name}: {one.get(name)} and {two.get(name)}"


def main(one, two):
    found = list(differences("setting", settings(one), settings(two)))
    with tempfile.TemporaryDirectory() as folder:
        root_one, files_one = files(one, Path(folder) / "one")
        root_two, files_two = files(two, Path(folder) / "two")
        found += differences("file", files_one, files_two)
        for name in sorted(files_one.keys() & files_two.keys()):
            path_one, path_two = root_one / name, root_two / name
            if path_one.is_symlink() or not path_one.is_file() or path_one.read_bytes() == path_two.read_bytes():
                continue
            sizes = f"{path_one.stat().st_size} and {path_two.stat().st_size} bytes"
            if name in OTHER_BYTES:
                print(f"{name} differs, as it may: {sizes}")
            else:
                found.append(f"file {name} has other bytes: {sizes}")
    print("\n".join(found or [f"the same settings, and the same {len(files_one)} files, folders and links"]))
    return 1 if found else 0


sys.exit(main(*sys.argv[1:]))
