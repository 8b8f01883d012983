# SPDX-License-Identifier: Apache-2.0
"""Starts the real binary, talks to it, and stops it by its process id."""

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy
import requests
from PIL import Image

import sanitizer

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("IMAGESYNC_BIN", ROOT / "build" / "imagesync"))
sanitizer.watch(BINARY)
MODELS = ROOT / "var" / "models"
# The photos that scikit-image brings; the package itself is not imported.
PHOTOS = Path(importlib.util.find_spec("skimage").origin).parent / "data"

KEY = "test-key"
VISIBLE = 0.05  # alpha from which on a pixel belongs to the subject's box
START_S = 60
STOP_S = 30


STORES = tempfile.TemporaryDirectory(prefix="imagesync-blobs-")


def blobs_of(database):
    """The folder of files that belongs to a database, whichever process it is opened by."""
    return Path(STORES.name) / hashlib.sha256(str(database).encode()).hexdigest()[:16]


def descendants(pid):
    """The ids of all processes below that one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


class Server:
    """`imagesync serve` on a free port of 127.0.0.1, with a data folder of its own."""

    def __init__(self, folder, keys=KEY, listen="127.0.0.1:0", **settings):
        self.folder = folder
        self.listen = listen
        self.data = folder / "data"
        self.log_path = folder / "server.log"
        self.data.mkdir(parents=True)
        (self.data / "models").symlink_to(MODELS.resolve())
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("IMAGESYNC_")}
        environment["IMAGESYNC_API_KEYS"] = keys
        if "database" in settings:
            settings = {"blobs": blobs_of(settings["database"]), **settings}
        for name, value in settings.items():
            environment["IMAGESYNC_" + name.upper()] = str(value)
        self.environment = environment
        self.start()

    @property
    def blobs(self):
        """Its folder of files, for another server on a copy of its database."""
        return self.environment.get("IMAGESYNC_BLOBS", self.data / "blobs")

    def start(self):
        """Once more on the same data, after it has ended; on another port."""
        sanitizer.follow(self.log_path)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--listen", self.listen, "--data", self.data],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        try:
            self.port = self._wait_for_port()
            self.url = f"http://127.0.0.1:{self.port}"
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait(self, probe, what):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            value = probe()
            if value:
                return value
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended before {what}:\n{self.log_tail()}")
            time.sleep(0.05)
        raise RuntimeError(f"no sign of {what} after {START_S} s:\n{self.log_tail()}")

    def _wait_for_port(self):
        return self._wait(lambda: next((line["port"] for line in self.log()
                                        if line.get("event") == "listening"), None), "listening")

    def _wait_until_ready(self):
        self._wait(lambda: requests.get(self.url + "/readyz", timeout=10).status_code == 200,
                   "readiness")

    def log(self):
        """The log's lines so far, as objects."""
        lines = []
        for line in self.log_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines=10):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def alive(self):
        return self.process.poll() is None

    def memory_peaks(self):
        """The most resident memory that each of its processes has ever had, in MiB, by process id."""
        peaks = {}
        for pid in descendants(self.process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            if peak:
                peaks[pid] = int(peak[1]) / 1024
        return peaks

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """All its processes at once and without a word, as a machine that fails."""
        pids = [self.process.pid, *descendants(self.process.pid)]
        os.kill(self.process.pid, signal.SIGSTOP)  # so that it restarts none of them
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it; returns its exit status."""
        if self.alive():
            self.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def post(self, path, key=KEY, headers=None, timeout=120, **kwargs):
        headers = dict(headers or {})
        if key is not None:
            headers.setdefault("X-Api-Key", key)
        return requests.post(self.url + path, headers=headers, timeout=timeout, **kwargs)

    def get(self, path, key=KEY, **kwargs):
        headers = {"X-Api-Key": key} if key is not None else {}
        return requests.get(self.url + path, headers=headers, timeout=30, **kwargs)

    def removebg(self, image=None, key=KEY, headers=None, files=None, **fields):
        """POST /v1.0/removebg as multipart; `image` is bytes."""
        parts = dict(files or {})
        if image is not None:
            parts["image_file"] = ("photo.jpg", image)
        if not parts:
            parts = {"unused": (None, "")}
        return self.post("/v1.0/removebg", key, headers, files=parts, data=fields)

    def metric(self, line_start):
        """The value of the metric whose line begins so; 0 when there is none."""
        for line in requests.get(self.url + "/metrics", timeout=10).text.splitlines():
            if line.startswith(line_start):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def balance(self, key):
        reply = self.get("/v1.0/account", key)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]["attributes"]["credits"]["total"]


class Site:
    """A small web server on 127.0.0.1 that serves what it is given: path -> bytes or callable."""

    def __init__(self):
        site = self
        self.pages = {}
        self.requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.requests.append(self.path)
                page = site.pages.get(self.path)
                if callable(page):
                    page(self)
                elif page is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(page)))
                    self.end_headers()
                    self.wfile.write(page)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def redirect(self, path, target):
        def page(handler):
            handler.send_response(302)
            handler.send_header("Location", target)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        self.pages[path] = page

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def photo(name="astronaut"):
    return Image.open(PHOTOS / f"{name}.png").convert("RGB")


def encode(image, fmt="JPEG", **options):
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def decode(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def error(reply):
    """(status, code) of an answer in remove.bg's error shape, which is checked."""
    body = reply.json()
    assert list(body) == ["errors"] and len(body["errors"]) == 1, body
    (one,) = body["errors"]
    assert set(one) <= {"title", "code", "detail"} and one["title"] and one["code"], body
    assert reply.headers["Content-Type"] == "application/json"
    return reply.status_code, one["code"]


def eventually(probe, seconds=20):
    """Whether `probe` turns true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if probe():
            return True
        time.sleep(0.05)
    return False


def alpha_of(image):
    return numpy.asarray(image.convert("RGBA").getchannel("A"), dtype=numpy.float64) / 255


def header_number(reply, name):
    assert re.fullmatch(r"\d+(\.\d+)?", reply.headers[name]), reply.headers[name]
    return float(reply.headers[name])
