#!/usr/bin/env bash
# fuzz.sh SECONDS [SEED]: fuzzes Sources/Proto and what of Sources/Common/CurlHTTP reads answers, under libFuzzer and the
# address sanitizer, from Tests/Fuzz/corpus.txt and Tests/Fuzz/regressions.txt on. What is found new stays in
# .build/fuzz/corpus for the next run; an input that fails is written to .build/fuzz/findings, and its line for
# regressions.txt is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
seed=${2:-$(date +%s)}
build=.build/fuzz
findings=$build/findings
mkdir -p $build/corpus $findings
rm -f $findings/*

# The versions of dependencies that are used everywhere else.
if [ -e Package.resolved ] && [ ! -e Tests/Fuzz/Package.resolved ]; then
    cp Package.resolved Tests/Fuzz/Package.resolved
fi
# The compiler obeys only the last -sanitize; the package manager's would give one of the two.
swift build --package-path Tests/Fuzz --scratch-path $build -c release --sanitize address --sanitize fuzzer \
    -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing -Xswiftc -use-ld=lld

/usr/bin/python3 - $build/seeds Tests/Fuzz/corpus.txt Tests/Fuzz/regressions.txt <<'EOF'
import pathlib, shutil, sys
folder = pathlib.Path(sys.argv[1])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
for source in map(pathlib.Path, sys.argv[2:]):
    for line in source.read_text().splitlines():
        if line and not line.startswith("#"):
            name, data = line.split()
            (folder / f"{source.stem}-{name}").write_bytes(bytes.fromhex(data))
EOF

echo "fuzzing for $seconds s with seed $seed"
# An input has at most 16 KiB, so nothing may ask for 2 MiB at once: that would be memory for bytes that never came.
# Symbols are left to whoever looks into a finding: with them a crash was seen to hang for minutes.
if SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=symbolize=0 timeout $((seconds + 120)) $build/release/fuzz \
    -max_total_time="$seconds" -seed="$seed" -max_len=16384 -malloc_limit_mb=2 -rss_limit_mb=2048 -timeout=20 \
    -artifact_prefix=$findings/ $build/corpus $build/seeds </dev/null >$build/log 2>&1; then
    grep -E '^Done ' $build/log
    exit
fi
grep -aE 'Fatal error|ERROR: |SUMMARY: ' $build/log | head -n 5 || true
for finding in "$findings"/*; do
    echo "$finding: NAME $(od -An -v -tx1 "$finding" | tr -d ' \n')"
done
echo "fuzzing failed; the log is $build/log" >&2
exit 1
