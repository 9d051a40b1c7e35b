#!/bin/sh
# Runs every measurement in full, which takes about twelve minutes, prints the tables and keeps them.
#
#   scripts/bench/all.sh [folder]                default: target/bench
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-target/bench}
mkdir -p "$folder"
cargo build --release --locked --package sterna
for name in fanout flat memory connect latency batch cluster transfer memory-bound; do
    target/release/sterna bench "$name" >"$folder/$name.txt"
    cat "$folder/$name.txt"
done
