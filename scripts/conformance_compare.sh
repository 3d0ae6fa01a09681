#!/usr/bin/env bash
# Writes docs/conformance.md: the pair, AIBrix and OGX from PyPI against the same checks. Needs about 600 MB of packages
# in environments of their own, and a Python 3.12 or newer for OGX (PYTHON312).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON312:-$(command -v python3.12 || command -v python3.13 || true)}
[ -n "$python" ] || { echo "OGX needs Python 3.12 or newer: name one in PYTHON312" >&2; exit 1; }
command -v redis-server >/dev/null || apt-get install -y -qq redis-server >/dev/null
scripts/venv.sh
[ -x .venv-aibrix/bin/python ] || python3 -m venv .venv-aibrix
.venv-aibrix/bin/pip install --quiet --disable-pip-version-check aibrix==0.8.0
[ -x .venv-ogx/bin/python ] || "$python" -m venv .venv-ogx
.venv-ogx/bin/pip install --quiet --disable-pip-version-check ogx==1.5.0
swift build
PROGRAMS=$(swift build --show-bin-path) .venv/bin/python -B -W ignore Tests/Conformance/compare.py
