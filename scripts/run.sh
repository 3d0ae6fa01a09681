#!/usr/bin/env bash
# Runs a file as a batch through a scheduler and a gateway, started for it and stopped afterwards.
# INPUT (a shipped sample), OUTPUT (out/sample.out.jsonl) and ENGINE (the simulator) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."

input=${INPUT:-examples/sample.jsonl}
output=${OUTPUT:-out/sample.out.jsonl}
engine=${ENGINE:-}

[ -r "$input" ] || { echo "cannot read INPUT=$input" >&2; exit 2; }
mkdir -p "$(dirname "$output")"
scripts/deps.sh
echo "building (the first time takes some minutes)"
for program in backfill backfill-scheduler backfill-gateway backfill-engine-simulator; do
    bin=$(scripts/release.sh "$program")
done
work=$(mktemp -d)
. scripts/processes.sh

finish() {
    local code=$?
    stop_all
    if [ $code -eq 0 ] || [ $code -eq 130 ]; then rm -rf "$work"; else echo "logs are in $work" >&2; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -z "$engine" ]; then
    echo "no ENGINE given: the simulator answers"
    start backfill-engine-simulator --listen 127.0.0.1:0 --time-to-first-token 20ms --time-per-token 1ms
    engine="http://$address"
fi
start backfill-scheduler --listen 127.0.0.1:0 --data "$work/data" --engine "$engine"
start backfill-gateway --listen 127.0.0.1:0 --scheduler "$address"
export BACKFILL_GATEWAY="http://$address"
echo "gateway at $BACKFILL_GATEWAY, engine at $engine"

batch=$("$bin/backfill" submit "$input")
echo "batch $batch"
code=0
"$bin/backfill" watch "$batch" || code=$?
"$bin/backfill" fetch "$batch" -o "$output"
exit $code
