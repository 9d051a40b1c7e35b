#!/usr/bin/env bash
# Judges the WebSocket codec by Autobahn|Testsuite: all cases of its fuzzing client against the echo example.
#
#     scripts/autobahn.sh [PYTHON]      PYTHON: a CPython 2.7 with pip, default python2.7
#
# Autobahn|Testsuite runs under CPython 2.7 only; it is installed, with the dependencies it pins itself, into a virtual
# environment under target/autobahn, and its report for people is target/autobahn/reports/index.html. Fails on any case
# that failed. Takes 10 to 20 minutes.
set -euo pipefail

python=$(command -v "${1:-python2.7}")
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
work=$target/autobahn
mkdir -p "$work"
cd "$work"

if [ ! -x python/bin/wstest ]; then
    # The last virtualenv that runs under Python 2.7.
    "$python" -m pip install --quiet --target bootstrap virtualenv==20.15.1
    PYTHONPATH=bootstrap "$python" -m virtualenv --quiet python
    python/bin/pip install --quiet autobahntestsuite==25.10.1
fi

cargo build --manifest-path "$root/Cargo.toml" -p sterna-wire --release --example echo
"$target/release/examples/echo" 127.0.0.1:9001 &
echo_server=$!
trap 'kill $echo_server' EXIT
for _ in $(seq 50); do
    if (exec 3<>/dev/tcp/127.0.0.1/9001) 2>/dev/null; then break; fi
    sleep 0.1
done
kill -0 $echo_server # it ends by itself if it cannot listen

rm -rf reports
python/bin/wstest --mode fuzzingclient --spec "$root/scripts/autobahn-fuzzingclient.json" >fuzzingclient.log

python/bin/python - reports/index.json <<'SUMMARY'
import collections, json, sys

cases = json.load(open(sys.argv[1]))["sterna"]
for field in ("behavior", "behaviorClose"):
    counts = collections.Counter(case[field] for case in cases.values())
    print("%s: %s" % (field, ", ".join("%s %d" % pair for pair in sorted(counts.items()))))
good = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")
failed = sorted(name for name, case in cases.items()
                if case["behavior"] not in good or case["behaviorClose"] not in good)
for name in failed:
    print("FAILED %s: %s, close %s" % (name, cases[name]["behavior"], cases[name]["behaviorClose"]))
print("%d cases, %d failed" % (len(cases), len(failed)))
sys.exit(1 if failed or len(cases) < 500 else 0)
SUMMARY
