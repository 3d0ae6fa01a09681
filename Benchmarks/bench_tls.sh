#!/usr/bin/env bash
# TLS over libssl against swift-nio-ssl and plaintext, in turns, in one process. ROUNDS=5
set -euo pipefail
cd "$(dirname "$0")/.."

certificates=$(mktemp -d)
trap 'rm -rf "$certificates"' EXIT
deploy/certificates.sh "$certificates"
swift build --package-path Benchmarks/TLSComparison --scratch-path .build/tls-benchmark -c release >&2
.build/tls-benchmark/release/TLSBenchmark "$certificates" "${ROUNDS:-5}"
