#!/usr/bin/env bash
# Everything that must be true of the project.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "packages"
scripts/deps.sh
step "formatting"
swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks examples
step "generated code"
scripts/check_protos.sh
step "unit tests"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
swift build --build-tests
swift test --skip-build --disable-xctest --xunit-output "$results/unit.xml"
step "fuzzing: what reads a peer's bytes, for a moment"
scripts/fuzz.sh 10
step "simulation: the fixed seeds, which have to cover everything"
SEEDS=22 FIRST=1 scripts/simulate.sh --coverage
step "simulation: new seeds"
SEEDS=3 FIRST=$(date +%s) scripts/simulate.sh
SCENARIO=long LINES=100 SEEDS=2 FIRST=$(date +%s) scripts/simulate.sh
step "release programs"
scripts/check_release.sh
step "end to end"
swift build
scripts/end_to_end.sh "$(swift build --show-bin-path)" "$results/end_to_end.jsonl"
step "conformance"
.venv/bin/python -B Tests/Conformance/report_test.py
PROGRAMS=$(swift build --show-bin-path) scripts/conformance.sh
PROGRAMS=$(swift build --show-bin-path) .venv/bin/python -B -W ignore Tests/Conformance/generated.py --seed 1
step "ratchet and mutations"
python3 -B scripts/test_check_ratchet.py
python3 -B scripts/check_ratchet.py "$results/unit.xml" "$results/end_to_end.jsonl"
python3 -B scripts/test_mutate.py
python3 -B scripts/mutate.py --check
