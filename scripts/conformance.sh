#!/usr/bin/env bash
# Holds BASE_URL, or the pair with a simulated engine, against the contract of the OpenAI API. Arguments go on to
# Tests/Conformance/conformance.py; PROGRAMS names the folder with the programs when they are built already.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/venv.sh
if [ -z "${BASE_URL:-}" ] && [ -z "${PROGRAMS:-}" ]; then
    swift build
    PROGRAMS=$(swift build --show-bin-path)
fi
export PROGRAMS="${PROGRAMS:-}"
.venv/bin/python -B -W ignore Tests/Conformance/conformance.py "$@"
