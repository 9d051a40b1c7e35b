#!/usr/bin/python3
"""The image for arm64 is the one for amd64, but for the processor.

    compare.py ARM64 AMD64

Both are root filesystems. Programs and libraries are for their processor, and those for arm64 can be loaded with pages of
64 KB. Files, links, rights, owners and the versions of packages are the same, and so is what is no program.
"""

import re
import struct
import sys
from pathlib import Path

MACHINES = {"aarch64": 183, "x86_64": 62}
PAGE_BYTES_MAX = 65536
LOAD = 1
# The loader has its own name and place; glibc has vector functions for amd64 only.
APART = {
    "aarch64": {"usr/lib/TRIPLET/ld-linux-aarch64.so.1", "usr/lib/ld-linux-aarch64.so.1"},
    "x86_64": {"usr/lib/TRIPLET/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/TRIPLET/libmvec.so.1"},
}
STATUS = "var/lib/dpkg/status"
# A script that tells how bash was compiled.
TELLS_PROCESSOR = "usr/bin/bashbug"


def read(root, processor):
    """By its path: what each file is, with what is the same for all processors; and how many are programs or libraries."""
    files, programs = {}, 0
    for path in root.rglob("*"):
        at = path.lstat()
        name, content = str(path.relative_to(root)), b""
        if path.is_symlink():
            content = str(path.readlink()).encode()
        elif path.is_file():
            content = path.read_bytes()
        if content[:4] == b"\x7fELF" and not path.is_symlink():
            judge(path, content, processor)
            programs += 1
            content = b"ELF"
        if name == STATUS:
            # A package that was only built again for one processor, as 1.2-3+b1, has the same source.
            lines = re.findall(r"^(?:Package|Version): .*", content.decode(), re.M)
            content = "\n".join(re.sub(r"\+b\d+$", "", line) for line in lines).encode()
        if name == TELLS_PROCESSOR:
            content = b""
        triplet = f"{processor}-linux-gnu"
        content = content.replace(triplet.encode(), b"TRIPLET")
        files[name.replace(triplet, "TRIPLET")] = (oct(at.st_mode), at.st_uid, at.st_gid, content)
    return files, programs


def judge(path, content, processor):
    """An ELF file is for this processor, and for all its page sizes."""
    [machine] = struct.unpack_from("<H", content, 18)
    assert machine == MACHINES[processor], f"{path} is for machine {machine}, not {processor}"
    if processor != "aarch64":
        return
    [start] = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for segment in range(start, start + size * count, size):
        [kind] = struct.unpack_from("<I", content, segment)
        [aligned] = struct.unpack_from("<Q", content, segment + 48)
        assert kind != LOAD or aligned >= PAGE_BYTES_MAX, f"{path} needs pages of at most {aligned} bytes"


def compare(ours, theirs):
    for files, processor in ((ours, "aarch64"), (theirs, "x86_64")):
        missing = APART[processor] - files.keys()
        assert not missing, f"{processor} has no {sorted(missing)}"
        for name in APART[processor]:
            del files[name]
    assert ours.keys() == theirs.keys(), f"only one image has {sorted(ours.keys() ^ theirs.keys())}"
    different = sorted(name for name in ours if ours[name] != theirs[name])
    assert not different, f"not the same in both: {different}"


arm64, programs = read(Path(sys.argv[1]), "aarch64")
amd64, _ = read(Path(sys.argv[2]), "x86_64")
assert programs > 0 and STATUS in arm64
compare(arm64, amd64)
print(f"{programs} programs and libraries, all for arm64; {len(arm64)} files, links and folders, as in the image for amd64")
