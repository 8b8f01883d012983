#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the libFuzzer targets and runs each for FUZZ_SECONDS (60); findings land in build-fuzz/.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
openvino=$(echo "$PWD"/.deps/venv/lib/python3*/site-packages/openvino)
[ -e build-fuzz/build.ninja ] || CC=clang-14 meson setup build-fuzz -Dfuzz=true \
    -Dopenvino="$openvino" -Db_lundef=false -Db_sanitize=address,undefined >build-fuzz.log 2>&1 ||
    { tail -n 20 build-fuzz.log; exit 1; }
ninja -C build-fuzz --quiet $(cd build-fuzz && ninja -t targets all | sed -n 's/^\(tests\/fuzz\/fuzz_[a-z]*\):.*/\1/p')
export LSAN_OPTIONS=suppressions=tests/fuzz/lsan.supp:print_suppressions=0
for target in build-fuzz/tests/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=$(basename "$target")
    corpus=build-fuzz/corpus/$name
    mkdir -p "$corpus"
    .deps/venv/bin/python tests/fuzz/seeds.py "$name" "$corpus"
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
        -verbosity=0 -artifact_prefix="build-fuzz/$name-" "$corpus"
done
