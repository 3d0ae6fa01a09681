#!/usr/bin/env bash
# Simulated runs of a SCENARIO (dense, long): SEEDS of them from seed FIRST on, each with BATCHES batches of about LINES
# lines. More arguments go to the program.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --product simulation
"$(swift build -c release --show-bin-path)/simulation" --scenario "${SCENARIO:-dense}" \
    --seeds "${SEEDS:-20}" --first "${FIRST:-1}" --batches "${BATCHES:-100}" --lines "${LINES:-900}" "$@"
