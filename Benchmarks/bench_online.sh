#!/usr/bin/env bash
# Builds what is compared and measures online requests.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(scripts/release.sh)
scripts/venv.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O2 -Wall -Wextra -o "$work/online-load" Benchmarks/OnlineLoad/main.c
PROGRAMS=$programs .venv/bin/python -B -W ignore Benchmarks/bench_online.py "$work/online-load"
