# SPDX-License-Identifier: Apache-2.0
"""A device that sends files by tus 1.0.0, a request at a time, so that each can go wrong."""

import base64
import hashlib
import itertools
import random
import socket
from pathlib import Path

PATH = "/v1/uploads"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
TUS = {"Tus-Resumable": "1.0.0"}
OCTETS = "application/offset+octet-stream"
_seeds = itertools.count(1)


def jpeg(size=1000):
    """A new file that begins as a JPEG does; what it shows nobody looks at here."""
    return JPEG + random.Random(next(_seeds)).randbytes(size - len(JPEG))


def metadata(**pairs):
    return ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}"
                    for key, value in pairs.items())


def create(person, size, headers=None, body=None, **pairs):
    more = {"Upload-Length": str(size), **TUS}
    if pairs:
        more["Upload-Metadata"] = metadata(**pairs)
    if body is not None:
        more["Content-Type"] = OCTETS
    return person.http.post(person.server.url + PATH, data=body, timeout=120,
                            headers={**more, **(headers or {})})


def created(person, size, headers=None, **pairs):
    """The address of a new upload."""
    reply = create(person, size, headers, **pairs)
    assert reply.status_code == 201, reply.text
    assert reply.headers["Tus-Resumable"] == "1.0.0" and reply.headers["Upload-Offset"] == "0"
    return reply.headers["Location"]


def patch(person, where, offset, body, **headers):
    return person.http.patch(
        person.server.url + where, data=body, timeout=300,
        headers={"Upload-Offset": str(offset), "Content-Type": OCTETS, **TUS,
                 **{name.replace("_", "-"): value for name, value in headers.items()}})


def head(person, where):
    return person.http.head(person.server.url + where, headers=TUS, timeout=60)


def offset(person, where):
    reply = head(person, where)
    assert reply.status_code == 200, (reply.status_code, reply.headers)
    assert reply.headers["Cache-Control"] == "no-store"
    return int(reply.headers["Upload-Offset"])


def uploaded(person, data, **pairs):
    """(photo, status) of a file that is sent in two requests."""
    where = created(person, len(data), **pairs)
    half = len(data) // 2
    assert patch(person, where, 0, data[:half]).status_code == 204
    reply = patch(person, where, half, data[half:])
    assert reply.status_code == 204, reply.text
    return reply.headers["Photo-Id"], reply.headers["Photo-Status"]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def check(person, *files):
    """(status, photo) of each file by its hash."""
    reply = person.call("POST", PATH + "/check", {
        "files": [{"sha256": digest(data), "size": len(data)} for data in files]})
    assert reply.status_code == 200, reply.text
    return [(found["status"], found.get("photo")) for found in reply.json()["files"]]


def original(person, photo):
    """The file as it is in the store."""
    reply = person.http.get(f"{person.server.url}/v1/photos/{photo}/original", timeout=120)
    assert reply.status_code == 200, reply.text
    return reply.content


def begin_patch(person, where, at, length, data):
    """A connection on which that much of a PATCH was sent, to a server that is reading it."""
    to = socket.create_connection(("127.0.0.1", person.server.port), timeout=60)
    head_lines = [f"PATCH {where} HTTP/1.1", "Host: localhost", "Tus-Resumable: 1.0.0",
                  f"Authorization: {person.http.headers['Authorization']}",
                  f"Upload-Offset: {at}", f"Content-Type: {OCTETS}", f"Content-Length: {length}",
                  "Expect: 100-continue"]
    to.sendall("\r\n".join(head_lines).encode() + b"\r\n\r\n")
    answer = to.recv(1000)
    assert answer.startswith(b"HTTP/1.1 100 "), answer
    to.sendall(data)
    return to


def is_read(connection):
    """Whether the server has taken all bytes that were sent to it over 127.0.0.1."""
    ends = [f"0100007F:{port:04X}" for port in (connection.getsockname()[1],
                                                connection.getpeername()[1])]
    queues = [line.split()[4] for line in Path("/proc/net/tcp").read_text().splitlines()
              if sorted(line.split()[1:3]) == sorted(ends)]
    return queues == ["00000000:00000000"] * 2
