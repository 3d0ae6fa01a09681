#!/usr/bin/env bash
# release.sh [PRODUCT]: builds the release programs, or one of them, and prints the folder that they are in. Swift's runtime is
# linked in: they run where no Swift is installed, and an online request takes some 3 us of CPU time less.
set -euo pipefail
cd "$(dirname "$0")/.."
build=(swift build -c release --static-swift-stdlib)
"${build[@]}" ${1:+--product "$1"} >&2
"${build[@]}" --show-bin-path
