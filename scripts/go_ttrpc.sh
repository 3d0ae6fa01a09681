#!/usr/bin/env bash
# go_ttrpc.sh DIRECTORY: puts the sources of containerd/ttrpc 1.2, the first with streams, as a GOPATH into DIRECTORY.
# Debian 12 has 1.1; this is the package of Debian 13, which Debian 12's Go builds. Nothing of it is installed.
set -euo pipefail
directory=$1
package=golang-github-containerd-ttrpc-dev
[ ! -e "$directory/src/github.com/containerd/ttrpc/stream.go" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The archive that this machine's own packages are from.
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] ${archive:?no Debian archive is known here: apt-get update first} trixie main" >"$work/sources.list"
options=(
    -qq -o Acquire::Retries=3 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Dir::Etc::SourceList="$work/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache"
    # The lists of this machine's own packages are of no interest.
    -o Dir::State::Status=/dev/null
)
apt-get "${options[@]}" update
(cd "$work" && apt-get "${options[@]}" download "$package")
dpkg-deb --extract "$work/$package"_*.deb "$work/content"
mkdir -p "$directory"
cp -r "$work/content/usr/share/gocode/src" "$directory/"
