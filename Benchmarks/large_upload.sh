#!/usr/bin/env bash
# Builds what is studied and uploads a large file in parts; it needs twice its size on the disk of WORK (/tmp) for a moment.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release
scripts/venv.sh
PROGRAMS=$(swift build -c release --show-bin-path) .venv/bin/python -B -W ignore Benchmarks/large_upload.py "$@"
