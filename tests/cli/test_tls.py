# SPDX-License-Identifier: Apache-2.0
"""`imagesync serve` with a certificate: versions of TLS, renewal, and what cannot be a pair."""

import datetime
import os
import socket
import ssl
import subprocess

import pytest

from processes import wait_until
from test_serve import Server

SECONDS = 30


def make_pair(folder, name, key="ec"):
    """A self-signed certificate for 127.0.0.1 and its key, as two files."""
    kinds = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *kinds[key], "-nodes", "-keyout", private, "-out",
         certificate, "-days", "30", "-subj", f"/CN={name}", "-addext",
         "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=SECONDS)
    private.chmod(0o600)
    return certificate, private


class TlsServer:
    """A server that shows live.pem and live.key, which renew() replaces."""

    def __init__(self, serve_one, folder):
        self.folder = folder
        self.certificate, self.key = folder / "live.pem", folder / "live.key"
        self.serve_one = serve_one

    def use(self, pair):
        for source, target in zip(pair, (self.certificate, self.key)):
            fresh = target.with_suffix(".new")
            fresh.write_bytes(source.read_bytes())
            fresh.chmod(0o600)
            os.replace(fresh, target)

    def start(self, *words):
        self.server = self.serve_one("--tls-certificate", str(self.certificate), "--tls-key",
                                     str(self.key), *words)
        self.port = self.server.wait_event("listening")["port"]
        return self

    def connect(self, trust, least=None, most=None, alpn=None):
        context = ssl.create_default_context(cafile=str(trust))
        # Old versions are to be refused by the server, not by this client.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = least or ssl.TLSVersion.TLSv1_2
        if most:
            context.maximum_version = most
        if alpn:
            context.set_alpn_protocols(alpn)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    def shown(self, trusts):
        """Which of the certificates a new connection is shown."""
        for trust in trusts:
            try:
                with self.connect(trust):
                    return trust
            except ssl.SSLCertVerificationError:
                continue
        return None


def ask(connection, path="/healthz", end=True, method="GET", body=b""):
    extra = "Connection: close\r\n" if end else ""
    connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                       f"{extra}\r\n".encode() + body)
    return hear(connection, end)


def hear(connection, end):
    reply = b""
    while end or not reply.endswith(b"}\n"):
        part = connection.recv(65536)
        if not part:
            break
        reply += part
    return reply


@pytest.fixture
def tls(binary, env, tmp_path):
    servers = []

    def serve_one(*words):
        server = Server(binary, env, *words)
        servers.append(server)
        return server
    yield TlsServer(serve_one, tmp_path)
    for server in servers:
        server.process.kill()
        server.process.wait(timeout=SECONDS)
        server.reader.join(timeout=SECONDS)
        server.process.stderr.close()


@pytest.mark.parametrize("key", ["ec", "rsa"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_it_speaks_modern_tls(tls, tmp_path, key, version):
    pair = make_pair(tmp_path, "one", key)
    tls.use(pair)
    tls.start()
    number = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[version]
    with tls.connect(pair[0], number, number, ["h2", "http/1.1"]) as connection:
        assert connection.version() == version
        assert connection.selected_alpn_protocol() == "http/1.1"
        name = connection.cipher()[0]
        assert "GCM" in name or "CHACHA20" in name
        assert version == "TLSv1.3" or name.startswith("ECDHE-")
        reply = ask(connection)
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nStrict-Transport-Security: max-age=31536000\r\n" in reply
    # Big replies and pages too.
    with tls.connect(pair[0], number, number) as connection:
        assert b"</html>" in ask(connection, "/")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(tls, tmp_path, version):
    pair = make_pair(tmp_path, "one")
    tls.use(pair)
    tls.start()
    with pytest.raises((ssl.SSLError, ConnectionError)) as refusal:
        tls.connect(pair[0], version, version)
    assert not isinstance(refusal.value, ssl.SSLCertVerificationError)
    assert tls.shown([pair[0]]) == pair[0]


def test_old_ciphers_are_refused(tls, tmp_path):
    pair = make_pair(tmp_path, "one", "rsa")
    tls.use(pair)
    tls.start()
    for cipher in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"):
        context = ssl.create_default_context(cafile=str(pair[0]))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher + ":@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", tls.port), timeout=SECONDS) as raw:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_plain_http_gets_nothing(tls, tmp_path):
    tls.use(make_pair(tmp_path, "one"))
    tls.start()
    with socket.create_connection(("127.0.0.1", tls.port), timeout=SECONDS) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in hear(raw, True)


def test_a_renewed_certificate_is_shown_and_old_connections_go_on(tls, tmp_path):
    first, second = make_pair(tmp_path, "first"), make_pair(tmp_path, "second", "rsa")
    tls.use(first)
    tls.start()
    with tls.connect(first[0]) as old:
        assert b"200 OK" in ask(old, end=False)
        tls.use(second)
        wait_until(lambda: tls.shown([first[0], second[0]]) == second[0])
        assert b"200 OK" in ask(old, end=False)
        tls.use(first)
        wait_until(lambda: tls.shown([first[0], second[0]]) == first[0])
        assert b"200 OK" in ask(old)
    assert len([e for e in tls.server.events if e["event"] == "certificate loaded"]) >= 3


def test_a_broken_renewal_keeps_the_old_one(tls, tmp_path):
    first, second = make_pair(tmp_path, "first"), make_pair(tmp_path, "second")
    tls.use(first)
    tls.start()
    tls.use((second[0], first[1]))
    event = tls.server.wait_event("certificate not loaded")
    assert "is not that of the certificate" in event["error"]
    assert tls.shown([first[0], second[0]]) == first[0]
    tls.use(second)
    wait_until(lambda: tls.shown([first[0], second[0]]) == second[0])


def test_requests_that_wait_and_bodies_that_are_too_long(tls, tmp_path):
    pair = make_pair(tmp_path, "one")
    tls.use(pair)
    tls.start("--receive-timeout-s", "1")
    # Refused before the body came, amid it (by count), and for being slow.
    with tls.connect(pair[0]) as connection:
        connection.sendall(b"POST /v1/cutout HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert hear(connection, True).startswith(b"HTTP/1.1 413 ")
    with tls.connect(pair[0]) as connection:
        connection.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert hear(connection, True).startswith(b"HTTP/1.1 405 ")
    with tls.connect(pair[0]) as connection:
        connection.sendall(b"POST /v1/cutout HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        reply = hear(connection, True)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nStrict-Transport-Security: " in reply


def test_a_photo_over_tls(tls, tmp_path, photo):
    pair = make_pair(tmp_path, "one")
    tls.use(pair)
    tls.start()
    tls.server.wait_event("ready")
    part = (b"--b\r\nContent-Disposition: form-data; name=\"image_file\"; filename=\"p.png\"\r\n\r\n"
            + photo.read_bytes() + b"\r\n--b--\r\n")
    with tls.connect(pair[0]) as connection:
        connection.sendall(b"POST /v1/cutout HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                           b"Content-Type: multipart/form-data; boundary=b\r\n"
                           + f"Content-Length: {len(part)}\r\n\r\n".encode() + part)
        head, _, body = hear(connection, True).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
    assert body.startswith(b"\x89PNG")


def test_its_expiry_is_in_the_metrics(tls, tmp_path):
    pair = make_pair(tmp_path, "one")
    tls.use(pair)
    tls.start()
    with tls.connect(pair[0]) as connection:
        text = ask(connection, "/metrics").decode()
    line = next(line for line in text.splitlines()
                if line.startswith("imagesync_tls_certificate_expires_seconds "))
    left = float(line.split()[1]) - datetime.datetime.now().timestamp()
    assert 29 * 86400 < left < 31 * 86400


def test_what_is_no_pair_says_why(run, tmp_path):
    one, other = make_pair(tmp_path, "one"), make_pair(tmp_path, "other")
    open_key = tmp_path / "open.key"
    open_key.write_bytes(one[1].read_bytes())
    open_key.chmod(0o644)
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", one[1], "-out", encrypted, "-passout",
                    "pass:x"], check=True, timeout=SECONDS)
    encrypted.chmod(0o600)
    for certificate, key, says in [
            (one[0], other[1], "is not that of the certificate"),
            (one[0], open_key, f"chmod 600 {open_key}"),
            (one[0], encrypted, "is encrypted"),
            (one[1], one[1], "holds no certificate"),
            (one[0], one[0], "open to other users"),
            (tmp_path / "none.pem", one[1], "No such file"),
            (one[0], "", "go together")]:
        done = run("serve", "--listen", "127.0.0.1:0", "--tls-certificate", certificate,
                   "--tls-key", key)
        assert done.returncode == 3, done.err
        assert says in done.err
        assert "server died" not in done.err
