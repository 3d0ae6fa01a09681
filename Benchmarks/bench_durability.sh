#!/usr/bin/env bash
# Builds what is measured and runs the measurements of durability.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(scripts/release.sh)
scripts/venv.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O2 -Wall -Wextra -shared -fPIC -o "$work/no-sync.so" Benchmarks/no_sync.c
PROGRAMS=$programs \
    .venv/bin/python -B -W ignore Benchmarks/bench_durability.py "$work/no-sync.so"
