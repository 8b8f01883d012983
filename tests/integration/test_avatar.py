# SPDX-License-Identifier: Apache-2.0
"""The picture that somebody shows of themselves."""

import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy
import pytest
import requests
from PIL import Image

from backends import running, stored
from harness import decode, descendants, encode, photo
from people import Person, problem
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]
PATH = "/v1/me/avatar"
RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("avatar"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def put(person, image, content_type="image/jpeg"):
    return person.http.put(person.server.url + PATH, data=image, timeout=60,
                           headers={"Content-Type": content_type})


def get(person, **headers):
    return person.http.get(person.server.url + PATH, headers=headers, timeout=60)


def halves(width, height):
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def near(pixel, colour):
    return max(abs(a - b) for a, b in zip(pixel, colour)) < 40


def test_set_shown_changed_and_removed(ada):
    assert ada.call("GET", "/v1/me").json()["avatar"] is None
    assert problem(get(ada)) == (404, "not_found")

    reply = put(ada, encode(photo("astronaut")))
    assert reply.status_code == 200, reply.text
    first = ada.call("GET", "/v1/me").json()["avatar"]
    assert reply.json()["avatar"] == first
    shown = ada.call("GET", first["url"])
    assert shown.headers["Content-Type"] == "image/webp"
    assert decode(shown.content).format == "WEBP" and decode(shown.content).size == (512, 512)
    assert shown.headers["ETag"] and "private" in shown.headers["Cache-Control"]
    assert "no-store" not in shown.headers["Cache-Control"]

    again = get(ada, **{"If-None-Match": f'"other", W/{shown.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == shown.headers["ETag"]

    assert put(ada, encode(halves(300, 300))).status_code == 200
    second = ada.call("GET", "/v1/me").json()["avatar"]
    assert second["version"] > first["version"] and second["url"] != first["url"]
    assert get(ada, **{"If-None-Match": shown.headers["ETag"]}).status_code == 200

    assert ada.call("DELETE", PATH).status_code == 204
    assert ada.call("DELETE", PATH).status_code == 204
    assert ada.call("GET", "/v1/me").json()["avatar"] is None
    assert problem(get(ada)) == (404, "not_found")
    assert put(ada, encode(halves(300, 300))).status_code == 200
    assert ada.call("GET", "/v1/me").json()["avatar"]["version"] > second["version"]


def test_cut_to_the_middle_and_whole_pictures_of_any_kind(ada):
    for image, kind in ((encode(halves(900, 300)), "JPEG"), (encode(halves(900, 300), "PNG"), "PNG"),
                        (encode(halves(900, 300), "WEBP"), "WebP"), (encode(halves(90, 30), "GIF"), "GIF"),
                        (encode(halves(900, 300), "TIFF"), "TIFF"), (encode(halves(90, 30), "BMP"), "BMP")):
        reply = put(ada, image, "application/octet-stream")
        assert reply.status_code == 200, (kind, reply.text)
        shown = decode(get(ada).content).convert("RGB")
        assert shown.size == (512, 512)
        assert near(shown.getpixel((20, 256)), RED) and near(shown.getpixel((492, 256)), BLUE), kind


def test_nothing_is_cut_out_and_nothing_transparent_is_left(ada):
    image = Image.new("RGBA", (200, 200), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 200, 100))
    assert put(ada, encode(image, "PNG")).status_code == 200
    shown = decode(get(ada).content)
    assert shown.mode == "RGB"
    assert near(shown.getpixel((256, 60)), (255, 255, 255)) and near(shown.getpixel((256, 450)), RED)


def test_upright_and_without_what_the_camera_wrote(ada):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: it is to be shown a quarter clockwise
    exif[0x010F] = "SECRET CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    assert put(ada, encode(halves(400, 400), exif=exif)).status_code == 200
    content = get(ada).content
    shown = decode(content).convert("RGB")
    assert near(shown.getpixel((256, 20)), RED) and near(shown.getpixel((256, 492)), BLUE)
    # What libvips writes by itself of any picture: orientation 1, resolution, where the chroma is.
    kept = dict(decode(content).getexif())
    assert kept.get(0x0112, 1) == 1 and set(kept) <= {274, 282, 283, 296, 531, 34665}
    assert b"SECRET" not in content


def bomb():
    """A PNG of a hundred megapixels in a few kilobytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    side = 10_000
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
            + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


@pytest.mark.parametrize("image, code", [
    (b"", "malformed_body"), (b"hello, I am no picture", "invalid_file_type"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "invalid_file_type"),
    (bomb(), "resolution_too_high"), (encode(photo("astronaut"))[:5000], "failed_to_read_image"),
    (encode(photo("astronaut"), "PNG")[:2000], "failed_to_read_image"),
    (b"\xff\xd8\xff\xe0", "failed_to_read_image")],
    ids=["nothing", "text", "svg", "bomb", "cut-jpeg", "cut-png", "head"])
def test_what_is_no_good_picture_is_refused_with_a_reason(ada, image, code):
    assert put(ada, encode(halves(300, 300))).status_code == 200
    before = get(ada)
    reply = put(ada, image)
    assert problem(reply) == (400, code)
    assert reply.json()["detail"]
    assert get(ada).content == before.content


def test_more_than_ten_megabytes_are_not_read(ada):
    noise = numpy.random.default_rng(1).integers(0, 255, (2000, 2000, 3), dtype=numpy.uint8)
    assert problem(put(ada, encode(Image.fromarray(noise), "PNG"))) == (413, "file_too_large")


def test_only_ones_own_and_from_our_own_pages(server, ada):
    assert put(ada, encode(halves(300, 300))).status_code == 200
    nobody = requests.Session()
    assert nobody.get(server.url + PATH, timeout=60).status_code == 401
    assert nobody.put(server.url + PATH, data=b"x", timeout=60).status_code == 401
    assert nobody.delete(server.url + PATH, timeout=60).status_code == 401
    assert problem(get(Person(server))) == (404, "not_found")
    cross = ada.http.put(server.url + PATH, data=encode(halves(300, 300)), timeout=60,
                         headers={"Origin": "https://evil.example"})
    assert problem(cross) == (403, "cross_site")


def test_it_is_sealed_at_rest(server, ada):
    assert put(ada, encode(photo("chelsea"))).status_code == 200
    content = get(ada).content
    for name, data in stored(server).items():
        assert content[100:164] not in data and b"WEBPVP8" not in data, name


def roles(server):
    """How many processes of each role it has, by what they were started as."""
    words = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
             for pid in descendants(server.process.pid)]
    return Counter(line[2].decode() for line in words if line[1:2] == [b"-x"])


def test_a_user_part_with_workers_needs_no_model(tmp_path):
    with running("embedded", tmp_path, services="user,worker", model="nothere", workers=1,
                 **CHEAP) as server:
        person = Person(server)
        assert roles(server) == {"http": 1, "worker": 1}
        assert put(person, encode(halves(900, 300))).status_code == 200
        shown = decode(get(person).content).convert("RGB")
        assert shown.size == (512, 512) and near(shown.getpixel((20, 256)), RED)
        assert problem(put(person, b"hello, I am no picture")) == (400, "invalid_file_type")
        assert server.post("/v1/cutout", files={"image": encode(halves(90, 30))}).status_code == 404


def test_a_user_part_alone_says_that_it_takes_none(tmp_path):
    with running("embedded", tmp_path, services="user", **CHEAP) as server:
        person = Person(server)
        assert roles(server) == {"http": 1}
        reply = put(person, encode(halves(300, 300)))
        assert problem(reply) == (501, "no_renderer")
        assert "reads no pictures" in reply.json()["detail"]
        assert person.call("GET", "/v1/me").json()["avatar"] is None
