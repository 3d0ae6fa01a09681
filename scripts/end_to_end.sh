#!/usr/bin/env bash
# Runs the real programs with the official OpenAI SDK. Argument: the folder with the programs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
requirements=Tests/EndToEnd/requirements.txt
if ! cmp -s $requirements .venv/installed.txt; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r $requirements
    cp $requirements .venv/installed.txt
fi
export PROGRAMS=$bin
for tests in history_test sdk_test durability_test crash_test power_loss_test; do
    .venv/bin/python -B -W ignore "Tests/EndToEnd/$tests.py"
done
