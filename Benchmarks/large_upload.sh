#!/usr/bin/env bash
# Builds what is studied and uploads a large file in parts; it needs twice its size on the disk of WORK (/tmp) for a moment.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(scripts/release.sh)
scripts/venv.sh
PROGRAMS=$programs .venv/bin/python -B -W ignore Benchmarks/large_upload.py "$@"
