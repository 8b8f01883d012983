# SPDX-License-Identifier: Apache-2.0
"""Raw files: what they say of themselves is read, and the picture that the camera has put into them
is shown."""

import io
import zipfile

import pytest
from PIL import Image

import raws
from backends import running
from library import download, photo_of, picture, send, settled
from people import Person
from test_accounts import CHEAP
from test_shares import shared, visit

BACKENDS = ["embedded", "servers"]
MADE = {
    "x-canon-cr3": ("Canon", lambda: raws.cr3(raws.jpeg())),
    "x-fuji-raf": ("FUJIFILM", lambda: raws.raf(raws.jpeg(exif=raws.exif()))),
    "x-nikon-nef": ("NIKON CORPORATION", lambda: raws.nef(raws.jpeg())),
    "x-sony-arw": ("SONY", lambda: raws.arw(raws.jpeg())),
    "x-adobe-dng": ("Leica", lambda: raws.dng(raws.jpeg())),
    "x-canon-cr2": ("Canon", lambda: raws.cr2(raws.jpeg())),
    "x-olympus-orf": ("OLYMPUS CORPORATION", lambda: raws.orf(raws.jpeg())),
    "x-panasonic-rw2": ("Panasonic", lambda: raws.rw2(raws.jpeg())),
    "x-pentax-pef": ("PENTAX Corporation", lambda: raws.pef(raws.jpeg())),
}


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("raws"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def look_at(reply):
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content)).convert("RGB")


def is_upright(image):
    """The red quarter of the camera's picture has come to the top, as its tag says."""
    width, height = image.size
    top, bottom = (image.getpixel((width // 2, y)) for y in (height // 8, height // 2))
    return top[0] > 150 > top[2] and bottom[2] > 120 > bottom[0]


@pytest.mark.parametrize("kind", MADE)
def test_all_kinds_are_shown(ada, kind):
    make, build = MADE[kind]
    content = build()
    assert ada.call("PUT", "/v1/library", {"keep_places": True}).status_code == 200
    photo_id, _ = send(ada, content, "a.bin", "x/y")
    state = settled(ada, photo_id)["state"]
    assert (state["status"], state["type"]) == ("ready", f"image/{kind}"), state
    assert (state["captured"], state["offset"]) == ("2026-05-04T12:30:00", 120)
    assert (state["camera"]["make"], state["camera"]["lens"]) == (make, "A lens")
    assert state["exposure"] == {"seconds": 0.005, "f_number": 2.8, "iso": 400,
                                 "focal_length_mm": 35.0}
    assert state["place"] == {"lat": 47.35, "lon": 8.55} and "metadata" not in state
    size = (4000, 6000) if kind == "x-canon-cr3" else (raws.HIGH, raws.WIDE)
    assert (state["width"], state["height"]) == size
    mezzanine, thumbnail = (look_at(download(ada, f"/v1/photos/{photo_id}/{which}"))
                            for which in ("mezzanine", "thumbnail"))
    assert mezzanine.size == (raws.HIGH, raws.WIDE) and max(thumbnail.size) == 512
    assert is_upright(mezzanine) and is_upright(thumbnail)
    original = download(ada, f"/v1/photos/{photo_id}/original")
    assert original.content == content and original.headers["Content-Type"] == f"image/{kind}"


def test_the_largest_picture_is_shown(ada):
    """Canon puts one of full size into the first track; what is smaller, or broken, counts less."""
    full = raws.jpeg((3000, 2000))
    state = settled(ada, send(ada, raws.cr3(raws.jpeg(), fuller=full), "1.CR3")[0])["state"]
    assert (state["renditions"]["mezzanine"]["width"], state["width"]) == (1365, 4000)
    lies = raws.cr3(raws.jpeg(), fuller=b"\xff\xd8\xff" + bytes(100), orientation=1)
    state = settled(ada, send(ada, lies, "2.CR3")[0])["state"]
    assert state["renditions"]["mezzanine"]["width"] == raws.WIDE


@pytest.mark.parametrize("build", [
    lambda: raws.cr3(b"\xff\xd8\xff" + bytes(500), small=bytes(99)),
    lambda: raws.nef(b"\xff\xd8\xff" + bytes(500))[:1200],
    lambda: raws.arw(raws.jpeg())[:1200]], ids=["cr3", "nef", "arw"])
def test_without_a_picture_it_is_kept_and_known(ada, build):
    content = build()
    photo_id, _ = send(ada, content, "a.bin", "x/y")
    state = settled(ada, photo_id)["state"]
    assert state["status"] == "unreadable" and "no picture in this raw file" in state["reason"]
    assert state["camera"]["model"] and "renditions" not in state
    assert download(ada, f"/v1/photos/{photo_id}/original").content == content


@pytest.mark.parametrize("names,build", [
    (("IMG_1.CR3", "IMG_1.JPG"), lambda: raws.cr3(raws.jpeg(seed=7))),
    (("DSCF1.RAF", "DSCF1.JPG"), lambda: raws.raf(raws.jpeg(seed=8, exif=raws.exif())))],
    ids=["cr3", "raf"])
def test_a_raw_file_and_its_jpeg_are_a_pair(ada, names, build):
    contents = dict(zip(names, (build(), picture(9, exif=raws.exif()))))
    ids = [send(ada, content, name, "x/y")[0] for name, content in contents.items()]
    for photo_id in ids:
        settled(ada, photo_id)
    one, two = (photo_of(ada, photo_id)["state"] for photo_id in ids)
    assert (one.get("pair"), two.get("pair")) == (ids[1], ids[0])
    reply = ada.call("POST", "/v1/zip", {"photos": [ids[0]]})
    files = zipfile.ZipFile(io.BytesIO(reply.content))
    assert {name: files.read(name) for name in files.namelist()} == contents


@pytest.mark.parametrize("kind", ["x-canon-cr3", "x-fuji-raf", "x-nikon-nef"])
def test_a_link_shows_it_without_metadata(ada, server, kind):
    """Nobody knows where all of it lies in a raw file: the picture is sent in its place."""
    content = MADE[kind][1]()
    photo_id, _ = send(ada, content, "A.RAW", "x/y")
    settled(ada, photo_id)
    link = shared(ada, photos=[photo_id])
    for reply in (visit(server, link, f"/photos/{photo_id}/original"),
                  visit(server, link, f"/photos/{photo_id}/mezzanine")):
        assert reply.headers["Content-Type"] == "image/jpeg" and is_upright(look_at(reply))
        assert not any(secret in reply.content for secret in (b"A lens", b"Exif", b"EOS", b"X-T4"))
    archive = zipfile.ZipFile(io.BytesIO(visit(server, link, "/zip").content))
    (name,) = archive.namelist()
    assert name == "A.jpg" and is_upright(Image.open(io.BytesIO(archive.read(name))))
    whole = shared(ada, photos=[photo_id], keep_metadata=True)
    assert visit(server, whole, f"/photos/{photo_id}/original").content == content


def test_tags_that_lie_far_into_the_file(ada):
    far = raws.nef(raws.jpeg(seed=20), far=200_000)
    assert far.index(b"A lens") > 200_000
    plain = raws.tiff({0x100: 2, 0x101: 2, 0x102: 8, 0x103: 1, 0x106: 1, 0x10F: "Epson", 0x110: "V600",
                       0x111: raws.At("file", 0), 0x115: 1, 0x116: 2, 0x117: 4},
                      details={0x9004: "2003:01:02 03:04:05"}, files=[bytes([0, 80, 160, 255])],
                      gap=300_000)
    for content, make, taken in ((plain, "Epson", "2003-01-02T03:04:05"),
                                 (far, "NIKON CORPORATION", "2026-05-04T12:30:00")):
        state = settled(ada, send(ada, content, "a.tif")[0])["state"]
        assert (state["status"], state["camera"]["make"], state["captured"]) == ("ready", make, taken)
