#!/usr/bin/env bash
# Fails when a release program holds fail points, or takes the variable that asks for one.
set -euo pipefail
cd "$(dirname "$0")/.."
program="$(scripts/release.sh backfill-scheduler)/backfill-scheduler"
names=$(grep -rhoE 'FailPoint\.reach\("[^"]+"' Sources | cut -d'"' -f2 | sort -u)
[ -n "$names" ] || { echo "no fail points in the sources?" >&2; exit 1; }
for name in $names; do
    if grep -qF "$name" "$program"; then
        echo "the release program holds the fail point $name" >&2
        exit 1
    fi
done
if message=$(BACKFILL_FAIL_POINT=any:1 "$program" --data /nonexistent 2>&1); then
    echo "the release program takes BACKFILL_FAIL_POINT" >&2
    exit 1
fi
grep -q BACKFILL_FAIL_POINT <<<"$message" || { echo "refused for another reason: $message" >&2; exit 1; }
echo "release programs hold no fail points"
