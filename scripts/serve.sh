#!/usr/bin/env bash
# Keeps a scheduler and a gateway running in the foreground.
# LISTEN (127.0.0.1:8080), DATA (./data) and ENGINE (the simulator) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."

listen=${LISTEN:-127.0.0.1:8080}
data=${DATA:-data}
engine=${ENGINE:-}

scripts/deps.sh
bin=$(scripts/release.sh)
work=$(mktemp -d)
. scripts/processes.sh

finish() {
    stop_all
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 0' INT TERM

if [ -z "$engine" ]; then
    start backfill-engine-simulator --listen 127.0.0.1:0 --time-to-first-token 20ms --time-per-token 1ms
    engine="http://$address"
    echo "no ENGINE given: the simulator answers at $engine (model simulated-model)"
fi
start backfill-scheduler --listen 127.0.0.1:0 --data "$data" --engine "$engine"
start backfill-gateway --listen "$listen" --scheduler "$address"
cat <<EOT
gateway at http://$address

  curl http://$address/v1/models

  from openai import OpenAI
  client = OpenAI(base_url="http://$address/v1", api_key="none")
  file = client.files.create(file=open("examples/sample.jsonl", "rb"), purpose="batch")
  print(client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"))

Ctrl-C stops everything.
EOT
tail -q -n +1 -F "$work"/*.log
