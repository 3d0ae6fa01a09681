#!/usr/bin/env bash
# Simulated runs of a SCENARIO (dense, long): SEEDS of them from seed FIRST on, each with BATCHES batches of about LINES
# lines. More arguments go to the program.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(scripts/release.sh simulation)/simulation
seeds=${SEEDS:-20}
first=${FIRST:-1}
# What a simulated kill leaves suspended stays in memory, some 40 MB a seed: no process runs more than so many.
most=50
failed=0
while [ "$seeds" -gt 0 ]; do
    count=$((seeds < most ? seeds : most))
    "$program" --scenario "${SCENARIO:-dense}" --seeds "$count" --first "$first" --batches "${BATCHES:-90}" \
        --lines "${LINES:-900}" "$@" || failed=1
    seeds=$((seeds - count))
    first=$((first + count))
done
exit "$failed"
