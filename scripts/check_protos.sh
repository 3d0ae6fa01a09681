#!/usr/bin/env bash
# Fails when the committed generated code is not what the .proto files give, or when a number on the wire has come to
# mean something else. With --update it only adds what is new on the wire to protos/wire.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
mapfile -t files < <(cd protos && find backfill ttrpc -name '*.proto' | LC_ALL=C sort)
protoc -Iprotos --descriptor_set_out="$fresh/descriptors" "${files[@]}"
/usr/bin/python3 -B protos/plugin/wire_history.py "$@" "$fresh/descriptors" protos/wire.txt
[ $# -gt 0 ] && exit
protos/plugin/generate.sh "$fresh"
diff -r "$fresh/Sources/Proto/Messages/Generated" Sources/Proto/Messages/Generated
diff -r "$fresh/Sources/Proto/Generated" Sources/Proto/Generated
/usr/bin/python3 -B -m unittest discover -q -s protos/plugin -p 'test_*.py'
echo "generated code is current"
