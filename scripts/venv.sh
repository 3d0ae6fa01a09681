#!/usr/bin/env bash
# Makes .venv with what the Python tests need, when it is not there or not of these requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=Tests/EndToEnd/requirements.txt
if ! cmp -s $requirements .venv/installed.txt; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r $requirements
    cp $requirements .venv/installed.txt
fi
