#!/usr/bin/env bash
# Runs the real programs with the official OpenAI SDK and under faults. Arguments: the folder with the programs, and a
# file that gets a line of JSON for each test.
set -euo pipefail
cd "$(dirname "$0")/.."
export PROGRAMS=$1
results=${2:-/dev/null}
scripts/venv.sh
# Two at a time, the longest first.
.venv/bin/python -B -W ignore Tests/EndToEnd/run.py --jobs 2 --results "$results" crash_test link_faults_test uploads_test \
    sdk_test online_test disk_faults_test power_loss_test resistance_test swift_client_test durability_test tls_test \
    damaged_files_test engine_faults_test interop_test streams_interop_test \
    version_skew_test clock_test ratchet_test scenarios_test keys_test batch_extras_test api_page_test scaling_test \
    history_test wire_settings_test
