"""The name server of the cluster: services and pods of headless services, as CoreDNS answers them, on 10.40.0.1:53.

names.py [CACHE_S]

With CACHE_S each answer, also that a name is unknown, is repeated for so many seconds: `cache 30` is in the Corefile of
kubeadm up to Kubernetes 1.31, and in that of most clouds.
"""

import socket
import struct
import sys
import threading
import time

from api import watch

A, SOA, ANY = 1, 6, 255
NO_ERROR, UNKNOWN_NAME = 0, 3
DOMAIN = "cluster.local"
TTL_S = 5

cache_s = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
by_object: dict[tuple[str, str, str], dict[str, list[str]]] = {}
cached: dict[str, tuple[float, list[str] | None]] = {}


def names_of_endpoints(endpoints: dict) -> dict[str, list[str]]:
    meta = endpoints["metadata"]
    service = f"{meta['name']}.{meta['namespace']}.svc.{DOMAIN}"
    names: dict[str, list[str]] = {}
    for subset in endpoints.get("subsets") or []:
        for address in subset.get("addresses") or []: # only those that may be found; not `notReadyAddresses`
            names.setdefault(service, []).append(address["ip"])
            if "hostname" in address:
                names.setdefault(f"{address['hostname']}.{service}", []).append(address["ip"])
    return names


def names_of_service(service: dict) -> dict[str, list[str]]:
    meta, address = service["metadata"], service["spec"].get("clusterIP", "None")
    return {} if address in ("", "None") else {f"{meta['name']}.{meta['namespace']}.svc.{DOMAIN}": [address]}


def follow(kind: str, names_of) -> None:
    for event, found in watch(kind):
        meta = found["metadata"]
        names = {} if event == "DELETED" else names_of(found)
        by_object[kind, meta["namespace"], meta["name"]] = names
        print(f"{time.time():.3f}", event, kind, names, flush=True)


def addresses(name: str) -> list[str] | None:
    """The addresses of a name, or None if nothing of that name is known."""
    now = time.monotonic()
    until, known = cached.get(name, (0.0, None))
    if now < until:
        return known
    tables = list(by_object.items())
    services = [names[name] for (kind, _, _), names in tables if kind == "services" and name in names]
    found = services or [names[name] for _, names in tables if name in names]
    known = found[0] if found else None
    cached[name] = (now + cache_s, known)
    return known


def answer(question: bytes) -> bytes:
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode().lower())
        at += 1 + question[at]
    kind = struct.unpack_from("!H", question, at + 1)[0]
    known = addresses(".".join(labels))
    code = UNKNOWN_NAME if known is None else NO_ERROR
    found = (known or []) if kind in (A, ANY) else []
    records = b"".join(struct.pack("!HHHIH4s", 0xC00C, A, 1, TTL_S, 4, socket.inet_aton(ip)) for ip in found)
    authority = b""
    if not found:
        authority = b"\0" + struct.pack("!HHIH", SOA, 1, TTL_S, 22) + b"\0\0" + struct.pack("!5I", 1, 60, 60, 60, TTL_S)
    # QR, AA, RD as asked, RA.
    flags = 0x8400 | (question[2] & 1) << 8 | 0x80 | code
    header = question[:2] + struct.pack("!5H", flags, 1, len(found), len(authority) and 1, 0)
    return header + question[12 : at + 5] + records + authority


for kind, names_of in (("endpoints", names_of_endpoints), ("services", names_of_service)):
    threading.Thread(target=follow, args=(kind, names_of), daemon=True).start()
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("10.40.0.1", 53))
while True:
    question, sender = listener.recvfrom(4096)
    try:
        listener.sendto(answer(question), sender)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        print("bad question", error, flush=True)
