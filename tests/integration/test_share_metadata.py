# SPDX-License-Identifier: Apache-2.0
"""Originals that a link hands out, without what is written in them of where and with what they were
taken; and with it when their owner wants that."""

import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from backends import running
from library import picture, send, settled
from people import Person
from test_accounts import CHEAP
from test_shares import shared, visit

BACKENDS = ["embedded", "servers"]
SECRETS = (b"Secret Camera", b"Somewhere", b"secret words", b"<x:xmpmeta", b"appended")
XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Somewhere</x:xmpmeta>"


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("bare"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def exif(orientation=1):
    made = Image.Exif()
    made[0x010F] = "Secret Camera"
    if orientation != 1:
        made[0x0112] = orientation
    made.get_ifd(0x8825).update({1: "N", 2: (54.0, 54.0, 21.0), 3: "E", 4: (8.0, 18.0, 33.0)})
    return made


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def more_xmp(n):
    """What does not fit into one segment (XMP specification, part 3, 1.1.3.1)."""
    return b"".join(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32
                            + struct.pack(">II", 40 * n, 40 * i) + b"<x:xmpmeta>Somewhere".ljust(40))
                    for i in range(n))


def jpeg(seed, orientation=1, **save):
    plain = picture(seed, (640, 480), exif=exif(orientation),
                    icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
                    **save)
    return (plain[:2] + segment(0xE1, XMP) + more_xmp(2) + segment(0xED, b"Photoshop 3.0\0Somewhere")
            + segment(0xFE, b"secret words") + plain[2:] + b"appended")


def png(seed):
    out, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_text("Comment", "secret words")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>Somewhere</x:xmpmeta>")
    Image.open(io.BytesIO(picture(seed))).save(out, "PNG", pnginfo=info, exif=exif())
    return out.getvalue()


def webp(seed):
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(seed))).save(out, "WEBP", exif=exif(), quality=80,
                                               xmp=b"<x:xmpmeta>Somewhere</x:xmpmeta>")
    return out.getvalue()


def tiff(seed):
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(seed))).save(out, "TIFF", exif=exif())
    return out.getvalue()


def avif(seed):
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(seed))).save(out, "AVIF", exif=exif(), quality=80,
                                               xmp=b"<x:xmpmeta>Somewhere</x:xmpmeta>")
    return out.getvalue()


def in_many_pieces(seed):
    """More of it than a plan has room for."""
    whole = jpeg(seed)
    return whole[:2] + more_xmp(60) + whole[2:]


MADE = {"jpeg": lambda: jpeg(1), "turned": lambda: jpeg(2, 6),
        "progressive": lambda: jpeg(3, progressive=True), "png": lambda: png(4),
        "webp": lambda: webp(5)}


def original(server, share, photo):
    reply = visit(server, share, f"/photos/{photo}/original")
    assert reply.status_code == 200, reply.text
    return reply


def png_is_sound(content):
    at = 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at:at + 4])
        body = content[at + 4:at + 8 + length]
        assert struct.unpack(">I", content[at + 8 + length:at + 12 + length]) == (zlib.crc32(body),)
        at += 12 + length
    return True


@pytest.mark.parametrize("what", MADE)
def test_an_original_is_given_without_its_metadata(ada, server, what):
    content = MADE[what]()
    assert b"Secret Camera" in content and b"Somewhere" in content
    photo = settled(ada, send(ada, content, "Strand.jpg")[0])["id"]
    share = shared(ada, photos=[photo])
    assert share["keep_metadata"] is False
    bare = original(server, share, photo).content
    for secret in SECRETS:
        assert secret not in bare
    assert len(bare) == len(content)
    with Image.open(io.BytesIO(content)) as one, Image.open(io.BytesIO(bare)) as other:
        assert other.getexif().get(0x0112) == one.getexif().get(0x0112)
        assert not other.getexif().get_ifd(0x8825) and 0x010F not in other.getexif()
        assert other.info.get("icc_profile") == one.info.get("icc_profile")
        assert one.tobytes() == other.tobytes()
    if what == "png":
        assert png_is_sound(bare)

    # By pieces, and in an archive, it is the same.
    url = f"/photos/{photo}/original"
    pieces = b"".join(visit(server, share, url, headers={
        "Range": f"bytes={at}-{min(at + 996, len(content) - 1)}"}).content
        for at in range(0, len(content), 997))
    assert pieces == bare
    with zipfile.ZipFile(io.BytesIO(visit(server, share, "/zip").content)) as archive:
        assert archive.testzip() is None and archive.read("Strand.jpg") == bare
    # Its owner has all of it.
    assert ada.http.get(f"{server.url}/v1/photos/{photo}/original").content == content


def test_whoever_wants_to_gives_all_of_it(ada, server):
    content = jpeg(6)
    photo = settled(ada, send(ada, content, "x.jpg")[0])["id"]
    share = shared(ada, photos=[photo], keep_metadata=True)
    assert share["keep_metadata"] is True
    whole = original(server, share, photo)
    assert whole.content == content
    with zipfile.ZipFile(io.BytesIO(visit(server, share, "/zip").content)) as archive:
        assert archive.read("x.jpg") == content
    # Who has the one has not got the other.
    other = shared(ada, photos=[photo])
    assert original(server, other, photo).headers["ETag"] != whole.headers["ETag"]


@pytest.mark.parametrize("build", [tiff, avif, in_many_pieces])
def test_of_other_files_the_mezzanine_is_given(ada, server, build):
    content = build(7)
    assert b"Secret Camera" in content
    photo = settled(ada, send(ada, content, "scan.tif", "image/tiff")[0])["id"]
    share = shared(ada, photos=[photo])
    reply = original(server, share, photo)
    assert reply.headers["Content-Type"] == "image/jpeg" and "scan.jpg" in (
        reply.headers["Content-Disposition"])
    for secret in SECRETS:
        assert secret not in reply.content
    assert reply.content == visit(server, share, f"/photos/{photo}/mezzanine").content
    with zipfile.ZipFile(io.BytesIO(visit(server, share, "/zip").content)) as archive:
        assert archive.namelist() == ["scan.jpg"] and archive.read("scan.jpg") == reply.content
    assert original(server, shared(ada, photos=[photo], keep_metadata=True), photo).content == content


def test_what_cannot_be_looked_into_is_not_given(ada, server):
    photo = settled(ada, send(ada, jpeg(8)[:300], "broken.jpg")[0])
    assert photo["state"]["status"] == "unreadable"
    share = shared(ada, photos=[photo["id"]])
    assert visit(server, share, f"/photos/{photo['id']}/original").status_code == 404
    with zipfile.ZipFile(io.BytesIO(visit(server, share, "/zip").content)) as archive:
        assert archive.namelist() == []
