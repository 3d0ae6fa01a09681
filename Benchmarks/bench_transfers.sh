#!/usr/bin/env bash
# Builds what is measured and runs the measurements of uploads and downloads.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release
scripts/venv.sh
PROGRAMS=$(swift build -c release --show-bin-path) .venv/bin/python -B -W ignore Benchmarks/bench_transfers.py "$@"
