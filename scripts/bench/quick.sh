#!/bin/sh
# Runs every measurement at a size that takes seconds, to see that the stopwatch works and that the server loses nothing:
# all deliveries arrive, a paced delivery is one write, a connection is accounted with no more bytes than allowed, and
# everything promised can be read back. Figures are not judged, so a busy machine cannot fail it.
#
#   scripts/bench/quick.sh [path of sterna]      default: $STERNA_BINARY, then target/release/sterna
set -eu
cd "$(dirname "$0")/../.."
sterna=${1:-${STERNA_BINARY:-target/release/sterna}}
[ -x "$sterna" ] || { echo "quick.sh: no program at $sterna; run cargo build --release" >&2; exit 1; }

# A machine with one core runs both sides on it.
load_core=1
[ "$(nproc)" -gt 1 ] || load_core=0

for name in fanout flat memory connect latency batch cluster transfer memory-bound; do
    "$sterna" bench "$name" --quick --load-core "$load_core"
done
