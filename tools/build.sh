#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds into a folder, which is set up when it is not there, and anew when the clone has been moved
# since: Meson keeps absolute paths. Usage: tools/build.sh build[-NAME] [MESON-OPTION...]
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/step.sh

folder=$1
shift
openvino=$(echo "$PWD"/.deps/venv/lib/python3*/site-packages/openvino)

set_up() {
    grep -qsF "$openvino/" "$folder/build.ninja" && return
    rm -rf "$folder"
    meson setup "$folder" -Dopenvino="$openvino" "$@" >"$folder.log" 2>&1 || {
        printf '\n'
        tail -n 20 "$folder.log" >&2
        fail "Meson could not set up $folder (the whole log: $folder.log)."
    }
}

build() {
    set_up "$@"
    ninja -C "$folder" --quiet >"$folder.log" 2>&1 || {
        printf '\n'
        cat "$folder.log" >&2
        fail "the build in $folder failed."
    }
}

[[ $folder == build* ]] || fail "usage: tools/build.sh build[-NAME] [MESON-OPTION...]"
[ -w . ] && { [ ! -e "$folder" ] || [ -w "$folder" ]; } ||
    fail "cannot write to $PWD/$folder: work as the user it belongs to, or remove it."
step "build" "$folder" build "$@"
