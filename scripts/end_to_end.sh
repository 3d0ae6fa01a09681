#!/usr/bin/env bash
# Runs the real programs with the official OpenAI SDK. Argument: the folder with the programs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
if [ ! -x .venv/bin/python ] || ! .venv/bin/pip freeze 2>/dev/null | grep -qf <(grep == Tests/EndToEnd/requirements.txt); then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
fi
export PROGRAMS=$bin
for tests in sdk_test durability_test; do
    .venv/bin/python -B -W ignore "Tests/EndToEnd/$tests.py"
done
