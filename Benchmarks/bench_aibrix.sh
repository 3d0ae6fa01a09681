#!/usr/bin/env bash
# Measures the pair against AIBrix 0.8.0 from PyPI on the same engine; needs redis-server and about 250 MB of packages.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || apt-get install -y -qq redis-server >/dev/null
programs=$(scripts/release.sh)
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt httpx
[ -x .venv-aibrix/bin/python ] || python3 -m venv .venv-aibrix
.venv-aibrix/bin/pip install --quiet --disable-pip-version-check aibrix==0.8.0
PROGRAMS=$programs .venv/bin/python -B -W ignore Benchmarks/bench_aibrix.py
