"""What the API server says, through kubectl."""

import json
import subprocess
from collections.abc import Iterator


def watch(kind: str) -> Iterator[tuple[str, dict]]:
    """Each object of a kind in all namespaces, and each change: ADDED, MODIFIED or DELETED, and the object. Never ends."""
    while True:
        words = ["kubectl", "get", kind, "--all-namespaces", "--watch", "--output-watch-events", "--output=json"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                event = json.loads(line)
                yield event["type"], event["object"]


def replace(path: str, content: dict) -> None:
    """PUT of an object at a path of the API."""
    words = ["kubectl", "replace", "--raw", path, "-f", "-"]
    subprocess.run(words, input=json.dumps(content), text=True, check=True, stdout=subprocess.DEVNULL)
