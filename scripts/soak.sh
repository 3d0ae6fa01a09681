#!/usr/bin/env bash
# The soak of Tests/EndToEnd/soak.py: MINUTES (30) with SEED (random). Argument: the folder with the programs; without
# it release programs are built. What a failed soak leaves is in EVIDENCE (out/soak).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
    set -- "$(scripts/release.sh)"
fi
scripts/venv.sh
PROGRAMS=$1 exec .venv/bin/python -B -W ignore Tests/EndToEnd/soak.py
