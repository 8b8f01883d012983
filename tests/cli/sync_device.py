# SPDX-License-Identifier: Apache-2.0
"""A folder that `imagesync sync` keeps, and a library that speaks its contract: for tests."""

import contextlib
import os
import subprocess

import pytest

from library_server import KEY, Library, serve


class Device:
    """A folder on some machine."""

    def __init__(self, binary, env, home, url):
        self.binary, self.url = binary, url
        self.folder = home / "photos"
        self.folder.mkdir(parents=True)
        self.env = {**env, "HOME": str(home), "IMAGESYNC_TOKEN": KEY, "TERM": "dumb"}

    def command(self, *options):
        return [self.binary, "sync", str(self.folder), "--server", self.url, "--settle-s", "0",
                *options]

    def sync(self, *options, status=0, **popen):
        done = subprocess.run(self.command("--once", *options), env=self.env, timeout=120,
                              capture_output=True, check=False, **popen)
        done.err = done.stderr.decode(errors="replace")
        assert done.returncode == status, done.err
        return done

    def start(self, *options):
        return subprocess.Popen(self.command(*options), env=self.env, stderr=subprocess.PIPE)

    def status(self):
        done = subprocess.run([self.binary, "sync", "status", str(self.folder)], env=self.env,
                              capture_output=True, timeout=60, check=True)
        lines = [line.split(None, 1) for line in done.stdout.decode().splitlines()]
        return done.stdout.decode(), lines

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def files(self, folder=None):
        """{path: content} of what a person would see."""
        root = os.fsencode(folder or self.folder)
        found = {}
        for at, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith(b".")]
            for name in names:
                path = os.path.join(at, name)
                if not name.startswith(b".") and not os.path.islink(path):
                    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                        found[os.path.relpath(path, root)] = file.read()  # or it has gone since
        return found

    def trash(self):
        return self.files(self.folder / ".imagesync" / "trash")

    def wait_for(self, process, holds, what):
        """Until `holds()`; what the process does is looked at all the time."""
        for _ in range(600):
            if holds():
                return
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        raise AssertionError(what)


@pytest.fixture
def library():
    return Library()


@pytest.fixture
def server(library):
    server = serve(library)
    yield server
    server.shutdown()
    server.server_close()
    assert library.wrong == []


@pytest.fixture
def device(binary, clean_env, tmp_path, server):
    return Device(binary, clean_env, tmp_path / "home", server.url)


@pytest.fixture
def other(binary, clean_env, tmp_path, server):
    return Device(binary, clean_env, tmp_path / "other", server.url)
