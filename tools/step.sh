# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts beside it: a line for each step, as models/prepare.py prints them.

# step NAME NOTE COMMAND...: the name at once, how long it took and the note when it has ended.
step() {
    local name=$1 note=$2 started=${EPOCHREALTIME//[!0-9]/} tenths
    shift 2
    printf '%-10s ' "$name"
    "$@"
    tenths=$(((${EPOCHREALTIME//[!0-9]/} - started + 50000) / 100000))
    printf '%4d.%d s  %s\n' $((tenths / 10)) $((tenths % 10)) "$note"
}

# Ends the line of a step that is under way, and the script, with what is wrong and what to do.
fail() {
    printf '\nimagesync set-up: %s\n' "$*" >&2
    exit 1
}
