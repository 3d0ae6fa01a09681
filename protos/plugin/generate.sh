#!/usr/bin/env bash
# Regenerates the C and Swift code of all .proto files into the folder given (default: the source tree).
set -euo pipefail
protos=$(cd "$(dirname "$0")/.." && pwd)
root=${1:-$protos/..}
c_out="$root/Sources/Proto/Generated"
swift_out="$root/Sources/Proto/Messages/Generated"
rm -rf "$c_out/backfill" "$c_out/ttrpc" "$c_out/include" "$swift_out"
mkdir -p "$c_out" "$swift_out"
cd "$protos"
mapfile -t files < <(find backfill ttrpc -name '*.proto' | LC_ALL=C sort)
plugin=(--plugin="protoc-gen-backfill=$protos/plugin/protoc-gen-backfill")
PYTHONDONTWRITEBYTECODE=1 protoc "${plugin[@]}" --backfill_out=c:"$c_out" "${files[@]}"
PYTHONDONTWRITEBYTECODE=1 protoc "${plugin[@]}" --backfill_out=swift:"$swift_out" "${files[@]}"
