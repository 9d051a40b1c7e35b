#!/bin/sh
# Counts the instructions of one publish through the pure crates (decode, judge, apply, encode), for one subscriber and
# for a thousand. A count does not depend on how busy the machine is. Needs valgrind.
set -eu
cd "$(dirname "$0")/../.."
command -v valgrind >/dev/null || { echo "instructions.sh: install valgrind" >&2; exit 1; }

cargo build --release --locked --quiet --package sterna-bench --example message_path
program=${CARGO_TARGET_DIR:-target}/release/examples/message_path

# Instructions of a run with $1 publishes, $2 subscribers and $3 bytes of content.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

for shape in "1 200" "1 2000" "1000 200"; do
    set -- $shape
    few=$(count 1000 "$1" "$2")
    many=$(count 11000 "$1" "$2")
    echo "$(((many - few) / 10000)) instructions for a publish of $2 bytes to $1 subscribers"
done
