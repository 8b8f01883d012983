# SPDX-License-Identifier: Apache-2.0
"""A film of gigabytes: what is known of it, parts of it as a browser asks for them, an archive."""

import os
import subprocess
import zipfile

import pytest

from backends import running
from films import ftyp, large_box_head, moov
from library import download, picture, send, settled
from people import Person
from test_accounts import CHEAP
from uploading import OCTETS, TUS, created

BACKENDS = ["embedded", "servers"]
MIB = 1 << 20
PIECE = os.urandom(MIB - 8)


class Film:
    """Its bytes, none of which are kept; the description comes last, as from a phone."""

    def __init__(self, mib):
        self.head = ftyp() + large_box_head(b"mdat", 16 + mib * MIB)
        self.tail = moov(created=1777890600, seconds=7200)
        self.mib, self.size = mib, len(self.head) + mib * MIB + len(self.tail)

    def piece(self, number):
        return number.to_bytes(8, "big") + PIECE

    def pieces(self):
        yield self.head
        for number in range(self.mib):
            yield self.piece(number)
        yield self.tail

    def part(self, first, last):
        """Both included."""
        number = min((first - len(self.head)) // MIB, self.mib)
        at, found = (0, self.head) if number < 0 else (len(self.head) + number * MIB, b"")
        number = max(number, 0)
        while at + len(found) <= last:
            found += self.piece(number) if number < self.mib else self.tail
            number += 1
        return found[first - at:last - at + 1]


@pytest.mark.parametrize("mib", [9] + [4200] * ("IMAGESYNC_LARGE" in os.environ))
def test_a_large_film(backend, tmp_path, mib):
    film = Film(mib)
    with running(backend, tmp_path, upload_max_mib=5000, **CHEAP) as server:
        ada = Person(server)
        where = created(ada, film.size, filename="large.mov")
        reply = ada.http.patch(server.url + where, data=film.pieces(), timeout=600, headers={
            **TUS, "Upload-Offset": "0", "Content-Type": OCTETS})
        assert reply.headers["Photo-Status"] == "added", reply.text
        photo_id = reply.headers["Photo-Id"]
        state = settled(ada, photo_id)["state"]
        assert (state["status"], state["duration"], state["size"]) == ("ready", 7200, film.size)
        parts_are_right(ada, photo_id, film)
        small = picture(1)
        ids = [photo_id, send(ada, small, "after.jpg")[0]]
        archive_is_whole(ada, ids, film, small, tmp_path / "all.zip")


def parts_are_right(ada, photo_id, film):
    path = f"/v1/photos/{photo_id}/original"
    tag = download(ada, path, Range="bytes=0-0").headers["ETag"]
    for edge in (0, 1, 65536, 2**31, 2**32, film.size - 100, film.size):
        if edge > film.size:
            continue
        first, last = max(0, edge - 50), min(edge + 50, film.size - 1)
        reply = download(ada, path, Range=f"bytes={first}-{last}",
                         **{"If-Range": tag})
        assert reply.status_code == 206
        assert reply.headers["Content-Range"] == f"bytes {first}-{last}/{film.size}"
        assert reply.headers["Content-Length"] == str(last - first + 1)
        assert reply.headers["Accept-Ranges"] == "bytes"
        assert reply.headers["Content-Type"] == "video/quicktime"
        assert reply.content == film.part(first, last)
    suffix = download(ada, path, Range="bytes=-100")
    assert suffix.status_code == 206 and suffix.content == film.part(film.size - 100, film.size - 1)
    rest = download(ada, path, Range=f"bytes={film.size - 70000}-")
    assert rest.status_code == 206
    assert rest.content == film.part(film.size - 70000, film.size - 1)
    beyond = download(ada, path, Range=f"bytes={film.size}-")
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{film.size}"
    # Several at once, or of what has changed: all of it, which nobody has to read to the end.
    for headers in ({"Range": "bytes=0-9,20-29"}, {"Range": "bytes=0-9", "If-Range": '"other"'}):
        with ada.http.get(ada.server.url + path, headers=headers, stream=True, timeout=60) as reply:
            assert reply.status_code == 200 and "Content-Range" not in reply.headers
            assert reply.headers["Content-Length"] == str(film.size)
            assert next(reply.iter_content(30)) == film.part(0, 29)


def archive_is_whole(ada, ids, film, small, path):
    with ada.http.post(ada.server.url + "/v1/zip", json={"photos": ids}, stream=True,
                       timeout=600) as reply, open(path, "wb") as file:
        for piece in reply.iter_content(MIB):
            file.write(piece)
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None
    assert archive.getinfo("large.mov").file_size == film.size
    assert archive.read("after.jpg") == small
    if film.size > 2**32:
        assert archive.getinfo("after.jpg").header_offset > 2**32
    subprocess.run(["unzip", "-tq", path], check=True, stdout=subprocess.DEVNULL)
    path.unlink()
