# SPDX-License-Identifier: Apache-2.0
"""`imagesync serve` as a process: starting, dying, being told to stop."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from processes import command_line, descendants, wait_until

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))

from postgres_server import free_port  # noqa: E402


class Server:
    """A running server on a free port; its log is read by a thread."""

    def __init__(self, binary, env, *words):
        self.events = []
        self.process = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", *words], env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.events.append(json.loads(line))

    def find(self, event, count=1):
        found = [entry for entry in self.events if entry["event"] == event]
        return found[count - 1] if len(found) >= count else None

    def wait_event(self, event, count=1):
        return wait_until(lambda: self.find(event, count))

    def get(self, path, headers=None):
        port = self.find("listening", sum(e["event"] == "listening" for e in self.events))["port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()

    def http_pid(self):
        return next((pid for pid in descendants(self.process.pid)
                     if command_line(pid)[1:3] == [b"-x", b"http"]), None)


@pytest.fixture
def serve(binary, env):
    servers = []

    def start(*words):
        server = Server(binary, env, *words)
        servers.append(server)
        server.wait_event("listening")
        return server
    yield start
    for server in servers:
        server.process.kill()
        server.process.wait(timeout=30)
        server.reader.join(timeout=30)
        server.process.stderr.close()


def all_gone(pids):
    return not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def opened_by(pid):
    """What its descriptors lead to; some are closed while they are read."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(link))
    return found


def test_it_opens_the_database_and_closes_it(serve, tmp_path):
    file = tmp_path / "it.db"
    server = serve("--database", f"sqlite:{file}")
    assert file.exists()
    http = server.http_pid()
    assert str(file) in opened_by(http)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["it.db"]


def test_it_says_what_it_is_and_whether_it_is_ready(serve):
    server = serve()
    assert server.find("listening")["address"] == "127.0.0.1"
    assert server.find("listening")["model"] == "tiny"
    assert server.get("/healthz")[0] == 200
    server.wait_event("ready")
    status, _, body = server.get("/readyz")
    assert status == 200 and json.loads(body) == {"ready": True}
    status, headers, body = server.get("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE imagesync_render_jobs_total counter" in body


def metric(server, name):
    lines = server.get("/metrics")[2].decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), None)


def test_the_cache_is_in_this_process_by_default(serve):
    server = serve()
    assert metric(server, "imagesync_cache_misses_total") == 1
    assert 0 < metric(server, "imagesync_cache_bytes") < 64 << 20
    assert server.find("cache unreachable, going on without it until it answers") is None


def test_redis_may_be_away_and_come_later(serve):
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    port = free_port()
    server = serve("--cache", f"redis://127.0.0.1:{port}/2")
    assert server.find("cache unreachable, going on without it until it answers")
    assert metric(server, "imagesync_cache_up") == 0
    assert server.get("/healthz")[0] == 200
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
         "no"], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: metric(server, "imagesync_cache_up") == 1)
    finally:
        redis.kill()
        redis.wait(timeout=30)


@pytest.mark.parametrize("cache,says", [
    ("rediss://u:hunter2@h:x", "port"),
    ("redis://u:hunter2@h:x", "port"),
    ("memcached://u:hunter2@h", "expected memory"),
])
def test_a_wrong_cache_is_explained_without_its_password(binary, env, cache, says):
    done = subprocess.run([binary, "serve", "--listen", "127.0.0.1:0", "--cache", cache], env=env,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, None) and says in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_the_page_and_its_headers(serve):
    server = serve()
    status, headers, body = server.get("/")
    assert status == 200 and b"<!doctype html>" in body.lower()
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-cache"  # its own, instead of the general one
    assert headers["Strict-Transport-Security"] is None
    status, _, again = server.get("/", {"If-None-Match": headers["ETag"]})
    assert status == 304 and again == b""
    assert server.get("/nothing-here")[0] == 404
    assert server.get("/openapi.yaml")[0] == 200


def test_data_runs_nothing_and_is_kept_nowhere(serve):
    server = serve()
    for path in ("/healthz", "/nothing-here", "/v1.0/account", "/v1.0/removebg"):
        _, headers, _ = server.get(path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_not_ready_is_told_with_a_reason(serve, data):
    # A model that is there when the server looks and cannot be loaded later.
    broken = data / "models" / "broken"
    broken.mkdir()
    try:
        manifest = json.loads((data / "models/tiny/manifest.json").read_text())
        (broken / "manifest.json").write_text(json.dumps({**manifest, "name": "broken"}))
        (broken / "model.onnx").write_bytes(b"nothing")
        server = serve("--model", "broken")
        status, _, body = server.get("/readyz")
        assert status == 503
        assert json.loads(body)["ready"] is False and json.loads(body)["reason"]
        assert server.get("/healthz")[0] == 200
        assert "runtime" in server.wait_event("model not loaded")
    finally:
        for file in broken.iterdir():
            file.unlink()
        broken.rmdir()


def test_a_killed_server_process_comes_back(serve):
    server = serve()
    first = server.http_pid()
    workers = descendants(first)
    os.kill(first, signal.SIGKILL)
    assert server.wait_event("server died")["signal"] == signal.SIGKILL
    server.wait_event("listening", count=2)
    assert server.http_pid() != first
    assert server.get("/healthz")[0] == 200
    wait_until(lambda: all_gone(workers))


def test_a_killed_supervisor_leaves_no_process(serve):
    server = serve()
    server.wait_event("ready")
    children = descendants(server.process.pid)
    assert len(children) >= 3
    server.process.kill()
    server.process.wait(timeout=30)
    wait_until(lambda: all_gone(children))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_stops(serve, number):
    server = serve()
    server.wait_event("ready")
    children = descendants(server.process.pid)
    server.process.send_signal(number)
    assert server.process.wait(timeout=30) == 0
    wait_until(lambda: all_gone(children))
    wait_until(lambda: server.find("stopped"))


def test_a_second_signal_stops_at_once(serve):
    server = serve("--drain-timeout-s", "600", "--receive-timeout-s", "600")
    port = server.find("listening")["port"]
    # A request that never ends keeps the drain going.
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST /v1.0/removebg HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                       b"Content-Type: application/json\r\n\r\n{")
        server.get("/healthz")
        server.process.send_signal(signal.SIGTERM)
        server.wait_event("draining")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 1


def test_hang_up_is_ignored(serve):
    server = serve()
    server.process.send_signal(signal.SIGHUP)
    assert server.get("/healthz")[0] == 200
    assert server.process.poll() is None


@pytest.mark.parametrize("words,status,says", [
    (["--listen", "nowhere"], 3, "ADDRESS:PORT"),
    (["--listen", "203.0.113.7:80"], 3, "no address of this machine"),
    (["--fetch-allow", "10.0.0.0/99"], 3, "--fetch-allow"),
    (["--model", "nothere"], 3, "make model"),
    (["--services", "payment"], 2, "no part 'payment'"),
    (["--services", "worker"], 2, "run together"),
    (["--api-keys", "a:b"], 3, "api-keys"),
    (["--mail", "carrier-pigeon"], 3, "neither folder nor smtp"),
    (["--mail", "smtp://me:secret@mail.example.org"], 3, "mail-user"),
    (["--mail-from", "nobody"], 3, "mail-from"),
    (["--tls-key", "key.pem"], 3, "go together"),
    (["--lissen", "x"], 2, "did you mean --listen"),
    (["--http-threads", "0"], 2, "http-threads"),
    (["extra"], 2, "one argument too many"),
])
def test_what_cannot_start_says_why(run, words, status, says):
    done = run("serve", "--listen", "127.0.0.1:0", *words)
    assert done.returncode == status, done.err
    assert says in done.err
    assert "server died" not in done.err


def test_an_address_in_use(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 3
    assert "in use" in done.err and "--listen" in done.err


def test_a_data_folder_that_cannot_be_written(run, data, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "models").symlink_to(data / "models")
    (tmp_path / "d" / "cache").write_text("in the way")
    done = run("serve", "--listen", "127.0.0.1:0", "--data", "d")
    assert done.returncode == 3 and "cannot write to the data folder d" in done.err


def test_several_parts_may_be_named(serve):
    assert serve("--services", "user,image,worker").get("/healthz")[0] == 200
