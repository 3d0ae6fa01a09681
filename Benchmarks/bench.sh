#!/usr/bin/env bash
# Builds what is compared and runs the measurements.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(scripts/release.sh)
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O2 -Wall -Wextra -o "$work/bare-loop" Benchmarks/BareLoop/main.c -lcurl
PROGRAMS=$programs .venv/bin/python -B -W ignore Benchmarks/bench.py "$work/bare-loop"
