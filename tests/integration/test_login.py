# SPDX-License-Identifier: Apache-2.0
"""`imagesync login`, `whoami` and `logout` against a real server."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading

import pytest
import requests

from backends import running
from harness import BINARY, Site, eventually
from people import Person
from test_accounts import CHEAP
from test_device_grant import Reader


BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("login"), device_poll_s=1, **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server, name="Ada")


class Terminal:
    """Somebody's command line, with a home of its own."""

    def __init__(self, folder):
        self.config = folder / "config"
        self.file = self.config / "imagesync" / "credentials.json"
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("IMAGESYNC_")}
        self.environment.update(HOME=str(folder), XDG_CONFIG_HOME=str(self.config))

    @contextlib.contextmanager
    def begin(self, *words):
        process = subprocess.Popen([BINARY, *words], env=self.environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def run(self, *words):
        done = subprocess.run([BINARY, *words], env=self.environment, text=True, timeout=60,
                              capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def kept(self):
        return json.loads(self.file.read_text())

    def change(self, server, **members):
        kept = self.kept()
        kept["servers"][server.url].update(members)
        self.file.write_text(json.dumps(kept))


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


def code_of(process):
    """What it shows: the address and the code."""
    text = ""
    while "Waiting" not in text:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        text += line
    (address, code), = re.findall(r"\n  (\S+/oauth/device)\n  (\S{4}-\S{4})\n", text)
    assert f"{address}?user_code={code}" in text
    return code


def sign_in(terminal, server, person, decision="allow", *words):
    with terminal.begin("login", "--server", server.url, *words) as process:
        Reader(server).decide(person, code_of(process), decision)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def test_the_whole_way(server, ada, terminal):
    status, out, err = sign_in(terminal, server, ada)
    assert status == 0 and err == ""
    assert out == f"Signed in to {server.url} as {ada.address} (Ada).\n"
    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.file.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in terminal.file.parent.iterdir()) == [
        "credentials.json", "credentials.lock"]
    assert terminal.run("whoami") == (0, f"{ada.address} (Ada) at {server.url}\n", "")
    token = terminal.kept()["servers"][server.url]["refresh_token"]
    assert terminal.run("logout") == (0, f"Signed out of {server.url}.\n", "")
    assert terminal.kept()["servers"] == {}
    reply = requests.post(server.url + "/oauth/token", timeout=30, data={
        "grant_type": "refresh_token", "client_id": "imagesync-cli", "refresh_token": token})
    assert reply.json()["error"] == "invalid_grant"
    status, _, err = terminal.run("whoami", "--server", server.url)
    assert status == 1 and f"imagesync login --server {server.url}" in err
    assert terminal.run("logout", "--server", server.url)[0] == 1
    assert terminal.run("whoami")[0] == 2  # nowhere to ask


def test_signing_in_again_ends_what_was_there(server, ada, terminal):
    sign_in(terminal, server, ada)
    before = terminal.kept()["servers"][server.url]["access_token"]
    assert sign_in(terminal, server, ada)[0] == 0
    reply = requests.get(server.url + "/oauth/userinfo", timeout=30,
                         headers={"Authorization": "Bearer " + before})
    assert reply.status_code == 401
    assert terminal.run("whoami")[0] == 0


def test_denied(server, ada, terminal):
    status, _, err = sign_in(terminal, server, ada, "deny")
    assert status == 1 and err == "imagesync login: it was denied\n"
    assert not terminal.file.exists()


def test_tokens_are_renewed_and_rotate(server, ada, terminal):
    sign_in(terminal, server, ada)
    first = terminal.kept()["servers"][server.url]
    assert terminal.run("whoami")[0] == 0
    assert terminal.kept()["servers"][server.url] == first  # it was good
    terminal.change(server, expires=1)
    assert terminal.run("whoami")[0] == 0
    second = terminal.kept()["servers"][server.url]
    assert second["refresh_token"] != first["refresh_token"] and second["expires"] > 1
    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600


def test_processes_that_renew_at_once_do_not_end_each_other(server, ada, terminal):
    """A refresh token that is used twice ends the whole sign-in."""
    sign_in(terminal, server, ada)
    for _ in range(3):
        terminal.change(server, expires=1)
        results = []
        threads = [threading.Thread(target=lambda: results.append(terminal.run("whoami")))
                   for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [status for status, _, _ in results] == [0] * 6, results


def test_signed_out_elsewhere(server, ada, terminal):
    sign_in(terminal, server, ada)
    ada.call("DELETE", "/v1/sessions")
    for expires in (None, 1):
        if expires:
            terminal.change(server, expires=expires)
        status, _, err = terminal.run("whoami")
        assert status == 1 and "not signed in" in err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_given_up(server, terminal, sent):
    with terminal.begin("login", "--server", server.url) as process:
        code_of(process)
        process.send_signal(sent)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130 and "given up" in err
    assert not terminal.file.exists()


def test_the_server_is_away(server, ada, terminal):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        status, _, err = terminal.run("login", "--server", nobody)
        assert status == 3 and f"{nobody} cannot be reached" in err
    sign_in(terminal, server, ada)
    server.stop()
    try:
        terminal.change(server, expires=1)
        status, _, err = terminal.run("whoami")
        # Behind a proxy it is the proxy that says so.
        said = "502: try again later" if server.backend == "split" else "cannot be reached"
        assert status == 3 and said in err
        assert server.url in terminal.kept()["servers"]
        status, _, err = terminal.run("logout")
        assert status == 1 and "forgotten here" in err
        assert terminal.kept()["servers"] == {}
    finally:
        server.start()


def test_a_server_that_goes_away_meanwhile_is_waited_for(server, ada, terminal):
    with terminal.begin("login", "--server", server.url) as process:
        code = code_of(process)
        server.listen = f"127.0.0.1:{server.port}"
        server.stop()
        assert "does not answer now" in process.stderr.readline()
        server.start()
        Reader(server).decide(ada, code)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and ada.address in out


def test_a_server_that_is_none_of_ours(terminal, start):
    site = Site()
    try:
        status, _, err = terminal.run("login", "--server", site.url)
        assert status == 3 and "is no Image Sync server" in err
        site.pages["/.well-known/openid-configuration"] = json.dumps(
            {"issuer": "https://evil.example.com", "device_authorization_endpoint": "x"}).encode()
        status, _, err = terminal.run("login", "--server", site.url)
        assert status == 3 and "https://evil.example.com" in err
    finally:
        site.close()


def test_certificates_are_verified(terminal, tmp_path):
    """A stranger's certificate is refused; with --ca what is asked next is asked."""
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=site", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True, timeout=60)
    site = Site()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    url = f"https://127.0.0.1:{site.port}"
    site.pages["/.well-known/openid-configuration"] = json.dumps(
        {"issuer": url, "device_authorization_endpoint": url + "/x"}).encode()
    try:
        status, _, err = terminal.run("login", "--server", url)
        assert status == 3 and "certificate" in err and site.requests == []
        status, _, err = terminal.run("login", "--server", url, "--ca", certificate)
        assert status == 3 and f"{url} answers with 501" in err  # it takes no POST
        assert site.requests == ["/.well-known/openid-configuration"]
    finally:
        site.close()


def test_turned_off(terminal, start):
    server = start(cli_client="no")
    status, _, err = terminal.run("login", "--server", server.url)
    assert status == 1 and "cli-client" in err


def test_nobody_types_the_code(terminal, start):
    server = start(device_code_s=2, device_poll_s=1)
    status, out, err = terminal.run("login", "--server", server.url)
    assert status == 1 and "in time" in err and "/oauth/device" in out


@pytest.mark.parametrize("url,hint", [
    ("photos.example.com", "https://"), ("ftp://photos.example.com", "https://"),
    ("http://photos.example.com", "--plain-http"), ("https://", "https://"),
    ("https:///", "https://"),
    ("http://127.0.0.1.evil.com", "--plain-http"), ("https://a.example.com/path", "nothing after"),
    ("https://ada@a.example.com", "nothing after"), ("https://a\x1b[2J.example.com", "https://"),
])
def test_addresses_that_are_none(terminal, url, hint):
    status, out, err = terminal.run("login", "--server", url)
    assert status == 2 and hint in err and out == "" and "\x1b" not in err


def test_a_file_that_is_not_ours(server, terminal):
    terminal.file.parent.mkdir(parents=True)
    terminal.file.write_text("{}")
    for command in ("login", "logout", "whoami"):
        status, _, err = terminal.run(command, "--server", server.url)
        assert status == 3 and str(terminal.file) in err
    assert terminal.file.read_text() == "{}"


def test_open_shows_the_page(server, terminal, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    browser = tools / "xdg-open"
    browser.write_text(f"#!/bin/sh\necho \"$1\" > {tmp_path}/opened.part\n"
                       f"mv {tmp_path}/opened.part {tmp_path}/opened\n")
    browser.chmod(0o755)
    terminal.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    with terminal.begin("login", "--server", server.url, "--open") as process:
        code = code_of(process)
        assert eventually((tmp_path / "opened").exists)
    assert (tmp_path / "opened").read_text() == f"{server.url}/oauth/device?user_code={code}\n"


def test_two_servers(server, ada, terminal, start):
    other = start(device_poll_s=1, **CHEAP)
    bob = Person(other, name="Bob")
    sign_in(terminal, server, ada)
    sign_in(terminal, other, bob)
    assert bob.address in terminal.run("whoami")[1]
    assert ada.address in terminal.run("whoami", "--server", server.url + "/")[1]
    terminal.run("logout")
    assert ada.address in terminal.run("whoami")[1]  # the one that is left
