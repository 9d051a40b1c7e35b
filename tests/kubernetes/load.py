"""Publishers and subscribers around the commands of a story, and the judgement: is each message there, once, in order?

load.py SERVER TOKEN FOLDER PERIOD_S

Each of three publishers sends a numbered message every PERIOD_S through the load balancer, with acknowledgements, until the
file FOLDER/end exists. `sterna pub` ends with 0 only when each of them was acknowledged. For each publisher two subscribers
print what comes. FOLDER/running says that they began. Exit code 1: something is lost, repeated, reordered or not
acknowledged.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

server, token, folder, period_s = sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])
IN_FLIGHT = {"one": 1, "two": 16, "three": 256}
COPIES = (0, 1)
# Who only listens to a member without power misses the keep-alive after 65 s.
LAST_S = 180


def subject(name: str) -> str:
    return f"/load/{folder.name}/{name}"


def publish(name: str, sent: dict[str, int]) -> None:
    words = ["sterna", "pub", subject(name), "-", "--server", server, "--publisher", f"load-{folder.name}-{name}"]
    words += ["--in-flight", str(IN_FLIGHT[name]), "--timeout", "90", "--verbose"]
    environment = {**os.environ, "STERNA_TOKEN": token}
    with open(folder / f"pub-{name}", "w") as log:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, env=environment)
        number = 0
        try:
            while not (folder / "end").exists():
                number += 1
                process.stdin.write(f"{number} {time.time():.3f}\n")
                process.stdin.flush()
                time.sleep(period_s)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and its exit code says why
        sent[name] = number if process.wait() == 0 else 0


def subscribe(name: str, copy: int, processes: list[subprocess.Popen]) -> None:
    words = ["sterna", "sub", subject(name), "--server", server, "--verbose"]
    with open(folder / f"sub-{name}-{copy}.log", "w") as log, open(folder / f"sub-{name}-{copy}", "w") as out:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        processes.append(process)
        for line in process.stdout:
            out.write(f"{time.time():.3f} {line}")
            out.flush()


def await_all(what: str, seen) -> None:
    until = time.monotonic() + LAST_S
    while not all(seen(name, copy) for name in IN_FLIGHT for copy in COPIES):
        if time.monotonic() > until:
            print(f"not seen by each subscriber within {LAST_S} s: {what}")
            return
        time.sleep(0.2)


def has_begun(name: str, copy: int) -> bool:
    log = folder / f"sub-{name}-{copy}.log"
    return log.exists() and "fresh at" in log.read_text()


def judge(path: Path, sent: int) -> tuple[bool, str]:
    """Whether 1 to `sent` came, each once and in order; and a line about it."""
    came = [(float(arrived), int(number), float(left)) for arrived, number, left in map(str.split, path.open())]
    numbers = [number for _, number, _ in came]
    if sent > 0 and numbers == list(range(1, sent + 1)):
        slowest_s = max(arrived - left for arrived, _, left in came)
        pause_s = max((after[0] - before[0] for before, after in zip(came, came[1:])), default=0.0)
        return True, f"all {sent}, once, in order; slowest {slowest_s:.2f} s, longest pause {pause_s:.2f} s"
    lost = sorted(set(range(1, sent + 1)) - set(numbers))
    again = len(numbers) - len(set(numbers))
    back = sum(after < before for before, after in zip(numbers, numbers[1:]))
    return False, f"{len(numbers)} of {sent}: {len(lost)} LOST {lost[:20]}, {again} REPEATED, {back} REORDERED"


processes: list[subprocess.Popen] = []
sent: dict[str, int] = {}
for name in IN_FLIGHT:
    for copy in COPIES:
        Thread(target=subscribe, args=(name, copy, processes), daemon=True).start()
await_all("the subject", has_begun)
publishers = [Thread(target=publish, args=(name, sent)) for name in IN_FLIGHT]
for publisher in publishers:
    publisher.start()
(folder / "running").touch()
for publisher in publishers:
    publisher.join()
await_all("the last message", lambda name, copy: f" {sent[name]} " in (folder / f"sub-{name}-{copy}").read_text()[-80:])
time.sleep(1)  # in which a repeated one would come
for process in processes:
    process.terminate()
good = True
for name in IN_FLIGHT:
    if not sent[name]:
        good = False
        print(f"{subject(name)}: NOT ACKNOWLEDGED: {(folder / f'pub-{name}').read_text()[-1000:]}")
        continue
    for copy in COPIES:
        complete, line = judge(folder / f"sub-{name}-{copy}", sent[name])
        good &= complete
        print(f"{subject(name)}, subscriber {copy}: {line}")
sys.exit(not good)
