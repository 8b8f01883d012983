# SPDX-License-Identifier: Apache-2.0
"""Bad input gets a clear answer and nothing breaks: after each, a good picture still works."""

import base64
import io
import select
import socket
import struct
import time
import zipfile
import zlib

import numpy
import pytest
from PIL import Image

import sanitizer
from harness import KEY, alpha_of, decode, encode, error, photo


@pytest.fixture(autouse=True)
def still_works(server, request):
    yield
    assert server.alive()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(
        ">I", zlib.crc32(kind + data))


def png(width, height, data):
    """A PNG of 8-bit grey whose compressed data is `data`, whatever the header says."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) +
            png_chunk(b"IEND", b""))


def test_good_input_after_all_the_bad(server, astronaut):
    for bad in (b"", b"GIF89a", astronaut[:100], bytes(1000)):
        assert server.removebg(bad).status_code == 400
    assert server.removebg(astronaut).status_code == 200


def test_empty_body(server):
    assert error(server.post("/v1.0/removebg", data=b"")) == (400, "missing_source")


def detail(reply):
    return reply.json()["errors"][0]["detail"]


def test_empty_file(server):
    reply = server.removebg(b"")
    assert error(reply) == (400, "failed_to_read_image")
    assert detail(reply) == "The file is empty."


def test_truncated_jpeg(server, astronaut):
    reply = server.removebg(astronaut[:len(astronaut) // 3])
    assert error(reply) == (400, "failed_to_read_image")


def test_png_header_of_100000_by_100000(server):
    reply = server.removebg(png(100_000, 100_000, zlib.compress(bytes(1000))))
    assert error(reply) == (400, "resolution_too_high")


def test_decompression_bomb(server):
    """49 megapixels that are a few kilobytes, and no subject in them; memory stays bounded."""
    side = 7000
    bomb = png(side, side, zlib.compress(bytes(side * (side + 1)), 9))
    assert len(bomb) < 100_000
    assert error(server.removebg(bomb, size="50MP")) == (400, "unknown_foreground")
    # It was admitted for 76 MiB and 12 bytes a pixel, which no process may have gone beyond.
    assert len(server.memory_peaks()) >= 3
    assert max(server.memory_peaks().values()) < 700 + sanitizer.kept_mib()


def test_decompression_bomb_past_its_header(server):
    """A header of 64 x 64 before a quarter of a gigabyte of data, which nobody unpacks."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    assert error(server.removebg(png(64, 64, data))) == (400, "unknown_foreground")
    assert max(server.memory_peaks().values()) < 700 + sanitizer.kept_mib()


def gif_of(frames):
    """A GIF of many one-colour frames."""
    head = b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    frame = (b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 16, 16, 0)
             + b"\x02\x16\x8c\x2d\x99\x87\x2a\x1c\xdc\x33\xa0\x02\x75\xec\x95\xfa\xa8\xde\x60\x8c"
             b"\x04\x91\x4c\x01\x00")
    return head + frame * frames + b"\x3b"


def test_gif_of_10000_frames(server):
    reply = server.removebg(gif_of(10_000))
    assert error(reply) == (400, "resolution_too_high")
    assert "frames" in detail(reply)


def test_only_the_first_frame_of_a_gif_is_used(server):
    frames = [photo("astronaut").resize((128, 128)).quantize(), Image.new("P", (128, 128), 3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50)
    reply = server.removebg(out.getvalue(), format="png")
    first = server.removebg(encode(frames[0].convert("RGB"), "PNG"), format="png")
    assert numpy.abs(alpha_of(decode(reply.content)) - alpha_of(decode(first.content))).mean() < 0.01
    assert alpha_of(decode(reply.content)).max() > 0.9


def test_tiff_with_a_loop_of_directories(server):
    image = io.BytesIO()
    photo("astronaut").resize((200, 200)).save(image, "TIFF")
    plain = image.getvalue()
    data = bytearray(plain)
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    reply = server.removebg(bytes(data))
    assert reply.status_code == 200, reply.text
    assert reply.content == server.removebg(plain).content


@pytest.mark.parametrize("name,data", [
    ("svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'),
    ("svg with declaration", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
    ("pdf", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"),
    ("html", b"<!doctype html><title>no</title>"),
    ("text", b"just words, no picture"),
    ("imagemagick", b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\n"),
])
def test_other_things_renamed_jpg(server, name, data):
    assert error(server.removebg(data)) == (400, "invalid_file_type")


def test_a_zip(server):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.jpg", b"x" * 100)
    assert error(server.removebg(out.getvalue())) == (400, "invalid_file_type")


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_zero_pixels(server, size):
    assert error(server.removebg(png(*size, zlib.compress(b"")))) == (400, "failed_to_read_image")


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_one_pixel(server, size):
    reply = server.removebg(encode(Image.new("RGB", size), "PNG"))
    assert error(reply) == (400, "unknown_foreground")


def test_no_subject(server):
    reply = server.removebg(encode(Image.new("RGB", (640, 480), (120, 130, 140)), "PNG"))
    assert error(reply) == (400, "unknown_foreground")


WRONG_VALUES = [
    ("size", "huge", "invalid_size"), ("type", "ufo", "invalid_type"),
    ("type_level", "9", "invalid_type_level"), ("format", "gif", "invalid_format"),
    ("roi", "a b c d", "invalid_roi"), ("roi", "0 0 513px 10", "roi_exceeds_bounds"),
    ("roi", "10 10 10 90", "roi_region_empty"), ("crop", "maybe", "invalid_crop"),
    ("crop_margin", "51%", "invalid_crop_margin"), ("crop_margin", "501px", "invalid_crop_margin"),
    ("scale", "9%", "invalid_scale"), ("scale", "101%", "invalid_scale"),
    ("position", "left", "invalid_position"), ("channels", "cmyk", "invalid_channels"),
    ("add_shadow", "dark", "invalid_add_shadow"),
    ("shadow_type", "long", "invalid_shadow_type"),
    ("shadow_opacity", "101", "invalid_shadow_opacity"),
    ("semitransparency", "half", "invalid_semitransparency"),
    ("bg_color", "notacolour", "invalid_bg_color"), ("bg_color", "#12345", "invalid_bg_color"),
    ("image_url", "ftp://example.com/a.jpg", "multiple_sources"),
]


@pytest.mark.parametrize("field,value,code", WRONG_VALUES)
def test_wrong_field_values_have_their_own_codes(server, astronaut, field, value, code):
    assert error(server.removebg(astronaut, **{field: value})) == (400, code)


def test_no_source(server):
    reply = server.removebg(size="preview")
    assert error(reply) == (400, "missing_source")
    assert reply.json()["errors"][0]["title"] == "No image given"


@pytest.mark.parametrize("field,value,word", [
    ("size", "huge", "preview"), ("format", "gif", "webp"), ("bg_color", "blurple", "81d4fa"),
    ("crop", "maybe", "true"), ("roi", "1 2 3", "x1 y1 x2 y2"), ("crop_margin", "60%", "50%"),
    ("scale", "5", "10%"), ("position", "top", "center"), ("shadow_opacity", "200", "100"),
    ("roi", "0 0 513 10", "512 x 512")])
def test_a_wrong_value_is_answered_with_what_is_accepted(server, astronaut, field, value, word):
    assert word in detail(server.removebg(astronaut, **{field: value}))


def test_the_same_source_twice(server, astronaut):
    files = [("image_file", ("a.jpg", astronaut)), ("image_file", ("b.jpg", astronaut))]
    assert error(server.post("/v1.0/removebg", files=files)) == (400, "multiple_sources")
    files[1] = ("bg_image_file", ("a.jpg", astronaut))
    files.append(("bg_image_file", ("b.jpg", astronaut)))
    assert error(server.post("/v1.0/removebg", files=files)) == (400, "multiple_bg_sources")


def test_a_blank_field_after_a_file_is_no_second_source(server, astronaut):
    files = [("image_file", ("a.jpg", astronaut)), ("image_file", (None, ""))]
    assert server.post("/v1.0/removebg", files=files).status_code == 200


def test_a_picture_as_the_whole_body(server, astronaut):
    """curl --data-binary @photo.jpg, with and without the right type."""
    reply = server.post("/v1.0/removebg", data=astronaut, headers={"Content-Type": "image/jpeg"})
    assert error(reply) == (400, "missing_source")
    assert "multipart/form-data" in detail(reply)
    reply = server.post("/v1.0/removebg", data=astronaut,
                        headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert error(reply) == (400, "malformed_body")
    assert "multipart/form-data" in detail(reply)


def test_json_under_another_type(server):
    """curl -d '{...}' without a Content-Type."""
    reply = server.post("/v1.0/removebg", data=b'{"image_url":"https://example.com/a.jpg"}',
                        headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert error(reply) == (400, "malformed_body")
    assert "application/json" in detail(reply)


@pytest.mark.parametrize("kind", ["json", "data"])
def test_files_travel_in_multipart_bodies_only(server, astronaut, kind):
    text = base64.b64encode(astronaut).decode()
    reply = server.post("/v1.0/removebg", **{kind: {"image_file": text}})
    assert error(reply) == (400, "missing_source")
    assert detail(reply) == "image_file must be sent as multipart/form-data."
    reply = server.post("/v1.0/removebg", **{kind: {"image_file_b64": text, "bg_image_file": "x"}})
    assert error(reply) == (400, "failed_to_read_image")
    assert "bg_image_file" in detail(reply)


@pytest.mark.parametrize("fields", [
    {"image_file_b64": "aGk="}, {"image_url": "https://example.com/a.jpg"}])
def test_two_sources(server, astronaut, fields):
    assert error(server.removebg(astronaut, **fields)) == (400, "multiple_sources")


def test_two_backgrounds(server, astronaut):
    reply = server.removebg(astronaut, bg_color="red", files={
        "bg_image_file": ("bg.jpg", astronaut)})
    assert error(reply) == (400, "multiple_bg_sources")
    reply = server.removebg(astronaut, bg_color="red", bg_image_url="https://example.com/a.jpg")
    assert error(reply) == (400, "multiple_bg_sources")


def test_a_background_that_is_no_picture(server, astronaut):
    reply = server.removebg(astronaut, files={"bg_image_file": ("bg.jpg", b"no picture")})
    assert error(reply) == (400, "failed_to_read_image")
    assert reply.json()["errors"][0]["title"] == "Failed to read background image"


def test_bad_base64(server):
    reply = server.removebg(image_file_b64="!!!")
    assert error(reply) == (400, "failed_to_read_image")
    assert "not base64" in detail(reply)


def test_malformed_bodies(server):
    reply = server.post("/v1.0/removebg", data=b"{not json",
                        headers={"Content-Type": "application/json"})
    assert error(reply) == (400, "malformed_body")
    reply = server.post("/v1.0/removebg", data=b"no boundary here",
                        headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert error(reply) == (400, "malformed_body")


@pytest.mark.parametrize("key,title", [("wrong", "API Key invalid"), (None, "Missing API Key"),
                                       (KEY[:-1], "API Key invalid")])
def test_wrong_key(server, astronaut, key, title):
    reply = server.removebg(astronaut, key=key)
    assert error(reply) == (403, "auth_failed")
    assert reply.json()["errors"][0]["title"] == title


def test_a_wrong_key_is_never_logged(server, astronaut):
    server.removebg(astronaut, key="secret-of-another-service")
    assert "secret-of-another-service" not in server.log_text()


def test_file_over_the_limit(server):
    noise = numpy.random.default_rng(1).bytes(23 << 20)
    reply = server.removebg(noise)
    assert error(reply) == (400, "file_too_large")
    assert "22 MiB" in detail(reply)


def test_base64_file_over_the_limit(server):
    text = base64.b64encode(bytes(23 << 20)).decode()
    assert error(server.post("/v1.0/removebg", json={"image_file_b64": text})) == (
        400, "file_too_large")


def read_answer(connection):
    connection.settimeout(30)
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def request_head(length, extra=b""):
    return (b"POST /v1.0/removebg HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: " + KEY.encode() +
            b"\r\nContent-Type: application/json\r\nContent-Length: " + str(length).encode() +
            b"\r\n" + extra + b"\r\n")


def test_oversize_body_is_refused_before_it_is_sent(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request_head(10 << 30))
        answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 413") and b'{"errors":[{' in answer


def test_oversize_body_without_a_length(server):
    """Chunked, so that only counting tells; refused while it is still being sent."""
    head = request_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head)
        for _ in range(200):
            readable, _, _ = select.select([connection], [], [], 0)
            if readable:
                break
            connection.sendall(chunk)
        answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 413") and b'{"errors":[{' in answer


def test_slow_client(server):
    """A byte now and then would take for ever: the whole request has a time limit."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request_head(1000))
        while not select.select([connection], [], [], 0.3)[0]:
            assert time.monotonic() - started < 60
            connection.sendall(b" ")
        answer = read_answer(connection)
    assert time.monotonic() - started > 3
    assert answer.startswith(b"HTTP/1.1 408") and b'"code":"request_timeout"' in answer
