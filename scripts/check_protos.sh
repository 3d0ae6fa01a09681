#!/usr/bin/env bash
# Fails when the committed generated code is not what the .proto files give.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protos/plugin/generate.sh "$fresh"
diff -r "$fresh/Sources/Proto/Messages/Generated" Sources/Proto/Messages/Generated
diff -r "$fresh/Sources/Proto/Generated" Sources/Proto/Generated
/usr/bin/python3 -B -m unittest -q protos/plugin/test_plugin.py
echo "generated code is current"
