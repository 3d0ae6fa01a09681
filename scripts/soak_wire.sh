#!/usr/bin/env bash
# The soak of Tests/WireSoak: SECONDS_EACH (MINUTES x 60) without TLS, then as long with it, with SEED (random). Argument:
# the program; without it a release program is built.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
    set -- "$(scripts/release.sh wire-soak)/wire-soak"
fi
seconds=${SECONDS_EACH:-$((${MINUTES:-10} * 60))}
certificates=$(mktemp -d)
trap 'rm -rf "$certificates"' EXIT
deploy/certificates.sh "$certificates"
seed=${SEED:-$RANDOM}
"$1" "$seconds" "$seed"
"$1" "$seconds" "$seed" "$certificates"
