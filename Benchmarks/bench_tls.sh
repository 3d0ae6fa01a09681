#!/usr/bin/env bash
# TLS over libssl against swift-nio-ssl and plaintext, in turns, in one process; then libssl alone. ROUNDS=5
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deploy/certificates.sh "$work/certificates"
swift build --package-path Benchmarks/TLSComparison --scratch-path .build/tls-benchmark -c release >&2
gcc -O2 -Wall -Wextra -o "$work/bare-handshakes" Benchmarks/BareHandshakes/main.c -lssl -lcrypto
.build/tls-benchmark/release/TLSBenchmark "$work/certificates" "${ROUNDS:-5}"
"$work/bare-handshakes" "$work/certificates" 1000
