#!/usr/bin/env bash
# Calls and streams against raw frames and grpc-swift-2, in turns, in one process; then once more with allocations counted.
# ROUNDS=5
set -euo pipefail
cd "$(dirname "$0")/.."

swift build --package-path Benchmarks/RPCComparison --scratch-path .build/rpc-benchmark -c release >&2
program=.build/rpc-benchmark/release/RPCBenchmark
"$program" "${ROUNDS:-5}"
counter=.build/rpc-benchmark/count_mallocs.so
gcc -O2 -shared -fPIC -o "$counter" Benchmarks/count_mallocs.c
echo "the same with allocations counted, which slows it down:"
LD_PRELOAD=$counter "$program" 1
