# SPDX-License-Identifier: Apache-2.0
"""A proxy before an HTTP server that fails as networks and servers do.

    with FaultyProxy(port) as proxy:
        proxy.fail("lost", r"^PUT .*partNumber=2", times=1)
        proxy.port, proxy.seen  # the request lines

    refused  the connection is closed before anything reaches the server
    half     half of the body reaches the server
    lost     the server does it, but its answer does not reach the client
    busy     503 SlowDown, of S3
    mute     it is not answered
    late     200, whose body is an error, of S3's CompleteMultipartUpload
"""

import re
import socket
import threading

FAULTS = ("refused", "half", "lost", "busy")
SECONDS = 60
ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code></Error>'


def answer(status, code):
    body = ERROR % code
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (
        status, len(body)) + body


class FaultyProxy:
    def __init__(self, port, tls=None):
        self.tls = tls  # an ssl.SSLContext
        self.upstream = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.rules, self.seen = [], []
        self.every = None

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def fail(self, fault, pattern, times=1):
        with self.lock:
            self.rules.append([fault, re.compile(pattern), times])

    def fail_every(self, n):
        """One of n requests fails, in turns in each way."""
        self.every = n

    def heal(self):
        with self.lock:
            self.rules, self.every = [], None

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def fault(self, line):
        with self.lock:
            self.seen.append(line)
            n = len(self.seen)
            if self.every and n % self.every == 0:
                return FAULTS[n // self.every % len(FAULTS)]
            for rule in self.rules:
                if rule[2] > 0 and rule[1].search(line):
                    rule[2] -= 1
                    return rule[0]
        return None

    def serve(self, client):
        with client:
            client.settimeout(SECONDS)
            try:
                if self.tls:
                    client = self.tls.wrap_socket(client, server_side=True)
                head, body = self.receive(client)
                reply = self.reply(client, head, body) if head else b""
                if reply:
                    client.sendall(reply)
                if self.tls:
                    client.close()
            except OSError:
                pass

    @staticmethod
    def receive(client):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = client.recv(65536)
            if not piece:
                return None, None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        if re.search(rb"\r\nExpect: 100-continue", head):
            head = re.sub(rb"\r\nExpect: [^\r]*", b"", head)
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        pieces, missing = [body], int(length[1]) - len(body) if length else 0
        while missing > 0:
            piece = client.recv(1 << 20)
            if not piece:
                return None, None
            pieces.append(piece)
            missing -= len(piece)
        return head, b"".join(pieces)

    def reply(self, client, head, body):
        fault = self.fault(head.split(b"\r\n")[0].decode())
        if fault == "refused":
            return b""
        if fault == "mute":
            client.recv(1)  # until the client has given up
            return b""
        if fault == "busy":
            return answer(b"503 Slow Down", b"SlowDown")
        if fault == "late":
            return answer(b"200 OK", b"InternalError")
        with socket.create_connection(self.upstream, SECONDS) as server:
            # One request a connection: its answer ends where the connection does.
            server.sendall(head + b"\r\nConnection: close\r\n\r\n")
            if fault == "half":
                server.sendall(body[:len(body) // 2])
                return b""
            server.sendall(body)
            pieces = []
            while piece := server.recv(1 << 20):
                pieces.append(piece)
        return b"" if fault == "lost" else b"".join(pieces)
