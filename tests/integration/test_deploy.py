# SPDX-License-Identifier: Apache-2.0
"""deploy/dev: the real servers are started, used by the two parts, and ended."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
import requests

from harness import BINARY, ROOT, encode, eventually, photo
from people import Person

ENV = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESYNC_")}


def script(name, folder):
    done = subprocess.run([ROOT / "deploy" / "dev" / name, "--folder", folder], env=ENV,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def running(folder):
    """{name: process id} of the servers that are there."""
    pids = {path.stem: int(path.read_text()) for path in folder.glob("*.pid")}
    return {name: pid for name, pid in pids.items()
            if Path(f"/proc/{pid}").exists() and
            "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()}


class Parts:
    """What `up` says how to start; looks like a server to people."""

    def __init__(self, folder, words):
        (self.url,) = re.findall(r"nginx on (\S+)", words)
        self.folder, self.data, self.processes = folder, folder / "user", []
        for line in re.findall(r"^    build/imagesync (.*)$", words, re.M):
            with open(folder / f"{len(self.processes)}.log", "wb") as log:
                self.processes.append(subprocess.Popen(
                    [BINARY, *line.split()], env=ENV, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log))
            assert eventually(lambda: b'"listening"' in (
                folder / f"{len(self.processes) - 1}.log").read_bytes(), 60)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            assert process.wait(60) == 0


@pytest.fixture
def folder():
    """One that PostgreSQL's own user may look into, too."""
    with tempfile.TemporaryDirectory(prefix="imagesync-dev-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_up_and_down(folder):
    words = script("up", folder)
    try:
        first = running(folder)
        assert set(first) == {"postgres", "redis", "proxy"}
        assert script("up", folder) == words and running(folder) == first
        parts = Parts(folder, words)
        try:
            ada = Person(parts)
            key = ada.call("POST", "/v1/api-keys", {"name": "shop"}).json()["key"]
            granted = subprocess.run([BINARY, "users", "grant", ada.address, "2", "--config",
                                      folder / "user.conf"], env=ENV, capture_output=True,
                                     text=True, timeout=60, check=False)
            assert granted.returncode == 0, granted.stderr
            reply = requests.post(parts.url + "/v1.0/removebg", headers={"X-Api-Key": key},
                                  files={"image_file": encode(photo().resize((256, 256)))},
                                  data={"size": "full"}, timeout=120)
            assert reply.status_code == 200 and reply.headers["X-Credits-Charged"] == "1"
        finally:
            parts.stop()
    finally:
        script("down", folder)
    assert running(folder) == {}
    script("down", folder)
    # What they kept is still there.
    words = script("up", folder)
    try:
        parts = Parts(folder, words)
        try:
            ada.server = parts
            assert ada.call("GET", "/v1/me").json()["email"] == ada.address
        finally:
            parts.stop()
    finally:
        script("down", folder)
    assert running(folder) == {}
