# SPDX-License-Identifier: Apache-2.0
"""Photoroom's contract: POST /v1/segment."""

import base64

import numpy
import pytest
import requests

from harness import KEY, VISIBLE, alpha_of, decode, encode, photo


@pytest.fixture
def segment(server, astronaut):
    def post(image=astronaut, key=KEY, headers=None, **fields):
        files = {"image_file": ("a.jpg", image)} if image is not None else {"x": (None, "")}
        return server.post("/v1/segment", key, headers, files=files, data=fields)
    return post


def problem(reply):
    body = reply.json()
    assert set(body) == {"detail", "status_code", "type"}, body
    assert body["status_code"] == reply.status_code
    return reply.status_code, body["type"]


def test_defaults(segment):
    reply = segment()
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "image/png"
    assert decode(reply.content).size == (512, 512)
    score = float(reply.headers["x-uncertainty-score"])
    assert score == -1 or 0 <= score <= 1


def test_json(segment):
    reply = segment(headers={"Accept": "application/json"})
    assert set(reply.json()) == {"base64img"}
    assert base64.b64decode(reply.json()["base64img"]) == segment().content


def test_the_vendors_own_examples_get_a_picture(segment):
    """They send this and write what they get into a file."""
    reply = segment(headers={"Accept": "image/png, application/json"})
    assert reply.headers["Content-Type"] == "image/png"
    assert decode(reply.content).format == "PNG"


@pytest.mark.parametrize("fmt,kind", [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_formats(segment, fmt, kind):
    assert decode(segment(format=fmt).content).format == kind


@pytest.mark.parametrize("size,pixels", [("preview", 250_000), ("medium", 1_500_000),
                                         ("hd", 4_000_000), ("full", 4_840_000)])
def test_sizes(segment, size, pixels):
    image = decode(segment(encode(photo().resize((2200, 2200))), size=size, format="jpg").content)
    assert 0.97 * pixels <= image.width * image.height <= pixels


def test_alpha_colour_crop_and_despill(segment):
    assert segment(channels="alpha").status_code == 200
    assert decode(segment(bg_color="#FF00FF").content).convert("RGB").getpixel((3, 3)) == (
        pytest.approx((255, 0, 255), abs=2))
    box = alpha_of(decode(segment().content)) > VISIBLE
    rows, columns = numpy.nonzero(box)
    cropped = decode(segment(crop="true").content)
    assert cropped.width == pytest.approx(numpy.ptp(columns) + 1, abs=8)
    assert cropped.height == pytest.approx(numpy.ptp(rows) + 1, abs=8)
    assert segment(despill="true").status_code == 200


@pytest.mark.parametrize("field,value,kind", [
    ("format", "zip", "invalid_format"), ("channels", "x", "invalid_channels"),
    ("bg_color", "blurple", "invalid_bg_color"), ("size", "auto", "invalid_size"),
    ("crop", "x", "invalid_crop"), ("despill", "x", "invalid_despill")])
def test_wrong_values(segment, field, value, kind):
    assert problem(segment(**{field: value})) == (400, kind)


def test_errors(segment, server):
    assert problem(segment(None)) == (400, "missing_image")
    assert problem(segment(b"no picture")) == (400, "invalid_file_type")
    assert problem(segment(key="wrong")) == (403, "auth_failed")
    assert problem(segment(key=None)) == (403, "auth_failed")
    assert problem(segment(key="empty")) == (402, "insufficient_credits")
    assert problem(requests.get(server.url + "/v1/segment", timeout=10))[0] == 405


def test_the_sandbox_costs_nothing_and_is_marked(segment, server):
    before = server.balance("ten")
    reply = segment(key="sandbox_ten")
    assert reply.status_code == 200, reply.text
    assert server.balance("ten") == before
    plain, marked = (alpha_of(decode(r.content)) for r in (segment(), reply))
    assert (marked - plain).max() > 0.3 and 0.02 < (marked - plain > 0.3).mean() < 0.15
    assert problem(segment(key="sandbox_wrong")) == (403, "auth_failed")


def test_the_sandbox_ends_after_a_hundred_calls_a_day(start):
    server = start("key", megapixels_per_minute=0)
    small = encode(photo().resize((64, 64)), "PNG")

    def post(key):
        return server.post("/v1/segment", key, files={"image_file": ("a.png", small)})

    assert {post("sandbox_key").status_code for _ in range(100)} == {200}
    refused = post("sandbox_key")
    assert problem(refused) == (429, "daily_limit_exceeded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 86400
    assert post("key").status_code == 200


def test_a_call_costs_a_credit(start, astronaut):
    server = start("two:2")
    files = {"image_file": ("a.jpg", astronaut)}
    assert server.post("/v1/segment", "two", files=files).status_code == 200
    assert server.balance("two") == 1
