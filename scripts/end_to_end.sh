#!/usr/bin/env bash
# Runs the real programs with the official OpenAI SDK and under faults. Arguments: the folder with the programs, and a
# file that gets a line of JSON for each test.
set -euo pipefail
cd "$(dirname "$0")/.."
export PROGRAMS=$1
results=${2:-/dev/null}
scripts/venv.sh
.venv/bin/python -B -W ignore Tests/EndToEnd/run.py --results "$results" sdk_test durability_test ratchet_test \
    scenarios_test history_test engine_faults_test link_faults_test disk_faults_test damaged_files_test clock_test \
    interop_test version_skew_test tls_test keys_test power_loss_test crash_test swift_client_test \
    batch_extras_test resistance_test scaling_test api_page_test
