#!/usr/bin/env bash
# Builds what is measured and runs the measurements of uploads and downloads.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(scripts/release.sh)
scripts/venv.sh
PROGRAMS=$programs .venv/bin/python -B -W ignore Benchmarks/bench_transfers.py "$@"
