#!/usr/bin/env bash
# Installs the Debian packages that the project needs; does nothing when they are there.
set -euo pipefail

packages=(
    make gcc g++ git curl pkg-config python3 python3-venv python3-protobuf
    protobuf-compiler libprotobuf-dev protobuf-c-compiler libprotobuf-c-dev
    libcurl4-openssl-dev libssl-dev libsqlite3-dev
    # The Go peer of the interoperability tests.
    golang-go golang-github-containerd-ttrpc-dev golang-google-protobuf-dev protoc-gen-go-1-5
)
[ "${1:-}" = bench ] && packages+=(nginx-light)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}" >&2
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        echo "using sudo for apt-get" >&2
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

if ! command -v swift >/dev/null; then
    echo "Swift 6.2 or newer is needed: see https://www.swift.org/install/linux/" >&2
    exit 1
fi
version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+)\.([0-9]+).*/\1 \2/p' | head -n 1)
read -r major minor <<<"${version:-0 0}"
if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 2 ]; }; then
    echo "Swift 6.2 or newer is needed, this is $major.$minor: see https://www.swift.org/install/linux/" >&2
    exit 1
fi
