# SPDX-License-Identifier: Apache-2.0
"""remove.bg's contract on good input: sources, fields, headers, shapes."""

import base64
import io
import time
import zipfile

import numpy
import pytest
import requests
from PIL import Image

from harness import KEY, VISIBLE, alpha_of, decode, encode, error, header_number, photo


def test_defaults_give_a_transparent_png_of_preview_size(server, astronaut):
    reply = server.removebg(astronaut)
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "image/png"
    image = decode(reply.content)
    assert image.mode == "RGBA" and image.format == "PNG"
    assert image.width * image.height <= 250_000
    alpha = alpha_of(image)
    assert alpha[5, 5] < 0.1 and alpha[image.height // 4, image.width // 2] > 0.9


def test_headers_say_what_was_done(server, astronaut):
    reply = server.removebg(astronaut, size="full", type_level="1")
    image = decode(reply.content)
    assert (header_number(reply, "X-Width"), header_number(reply, "X-Height")) == image.size
    assert image.size == (512, 512)
    assert (header_number(reply, "X-Max-Width"), header_number(reply, "X-Max-Height")) == (512, 512)
    assert reply.headers["X-Credits-Charged"] == "1"
    assert reply.headers["X-Type"] in {"person", "product", "animal", "car", "other"}
    rows, columns = numpy.nonzero(alpha_of(image) > VISIBLE)
    assert abs(header_number(reply, "X-Foreground-Top") - rows.min()) <= 8
    assert abs(header_number(reply, "X-Foreground-Left") - columns.min()) <= 8
    assert abs(header_number(reply, "X-Foreground-Width") - numpy.ptp(columns)) <= 16
    assert abs(header_number(reply, "X-Foreground-Height") - numpy.ptp(rows)) <= 16
    assert reply.headers["X-Request-Id"]


def test_json_reply(server, astronaut):
    raw = server.removebg(astronaut)
    reply = server.removebg(astronaut, headers={"Accept": "application/json"})
    assert reply.headers["Content-Type"] == "application/json"
    data = reply.json()["data"]
    assert set(data) == {"result_b64", "foreground_top", "foreground_left", "foreground_width",
                         "foreground_height"}
    assert base64.b64decode(data["result_b64"]) == raw.content
    assert data["foreground_width"] == header_number(raw, "X-Foreground-Width")


@pytest.mark.parametrize("accept,content_type", [
    ("application/json, text/plain, */*", "image/png"),  # what some HTTP libraries always send
    ("image/png, application/json", "image/png"),
    ("image/*", "image/png"),
    ("application/json, image/png", "application/json"),
    ("image/*;q=0.5, application/json", "application/json")])
def test_what_is_accepted_decides_between_bytes_and_json(server, astronaut, accept, content_type):
    reply = server.removebg(astronaut, headers={"Accept": accept})
    assert reply.headers["Content-Type"] == content_type


@pytest.mark.parametrize("accept", ["multipart", "urlencoded", "json"])
def test_base64_in_all_three_bodies(server, astronaut, accept):
    text = base64.b64encode(astronaut).decode()
    if accept == "multipart":
        reply = server.removebg(image_file_b64=text)
    elif accept == "urlencoded":
        reply = server.post("/v1.0/removebg", data={"image_file_b64": text, "format": "png"})
    else:
        reply = server.post("/v1.0/removebg", json={"image_file_b64": text, "crop": False})
    assert reply.status_code == 200, reply.text
    assert reply.content == server.removebg(astronaut).content


def test_a_key_may_come_as_bearer(server, astronaut):
    reply = server.removebg(astronaut, key=None, headers={"Authorization": f"Bearer {KEY}"})
    assert reply.status_code == 200


def test_empty_fields_count_as_absent(server, astronaut):
    reply = server.removebg(astronaut, size="", image_url="", bg_color="", roi="", position="")
    assert reply.status_code == 200, reply.text


def test_unknown_fields_are_ignored(server, astronaut):
    reply = server.removebg(astronaut, shadow_type="auto", shadow_opacity="auto", what="ever")
    assert reply.status_code == 200, reply.text


@pytest.fixture(scope="module")
def large():
    """6.25 megapixels."""
    return encode(photo("astronaut").resize((2500, 2500)), quality=90)


@pytest.mark.parametrize("size,pixels,credits", [
    ("preview", 250_000, "0.25"), ("small", 250_000, "0.25"), ("regular", 250_000, "0.25"),
    ("medium", 1_500_000, "1"), ("hd", 4_000_000, "1"), ("full", 6_250_000, "1"),
    ("4k", 6_250_000, "1"), ("50MP", 6_250_000, "1"), ("auto", 6_250_000, "1")])
def test_size_tiers(server, large, size, pixels, credits):
    reply = server.removebg(large, size=size, format="jpg", bg_color="white")
    assert reply.status_code == 200, reply.text
    result = header_number(reply, "X-Width") * header_number(reply, "X-Height")
    assert 0.97 * pixels <= result <= pixels
    assert reply.headers["X-Credits-Charged"] == credits
    assert header_number(reply, "X-Max-Width") == 2500


def test_the_subjects_box_is_of_the_size_limited_input(server, large):
    full = server.removebg(large, size="full", format="jpg")
    preview = server.removebg(large, size="preview", format="png")
    cropped = server.removebg(large, size="preview", format="png", crop="true")
    for side in ("Top", "Left", "Width", "Height"):
        name = "X-Foreground-" + side
        assert header_number(preview, name) == pytest.approx(header_number(full, name) / 5, abs=6)
        assert header_number(cropped, name) == header_number(preview, name)
    assert decode(cropped.content).size == (header_number(preview, "X-Foreground-Width"),
                                            header_number(preview, "X-Foreground-Height"))


def test_fifty_megapixels_are_given_and_no_more_are_taken(server):
    large = encode(photo("astronaut").resize((7000, 5200)), quality=70)  # 36.4 megapixels
    full = server.removebg(large, size="full", format="jpg")
    assert full.status_code == 200, full.text
    assert 24_500_000 <= header_number(full, "X-Width") * header_number(full, "X-Height") <= 25e6
    whole = server.removebg(large, size="50MP", format="jpg")
    assert (header_number(whole, "X-Width"), header_number(whole, "X-Height")) == (7000, 5200)
    assert header_number(full, "X-Max-Width") == 7000
    more = encode(Image.new("RGB", (7200, 7000)), "PNG")
    assert error(server.removebg(more, size="50MP")) == (400, "resolution_too_high")


def test_full_png_ends_at_ten_megapixels(server):
    image = encode(photo("astronaut").resize((3600, 3600)), quality=85)
    png = server.removebg(image, size="full", format="png")
    assert 9_700_000 <= header_number(png, "X-Width") * header_number(png, "X-Height") <= 10_000_000
    zipped = server.removebg(image, size="full", format="zip")
    assert header_number(zipped, "X-Width") == 3600


def test_never_upscales(server):
    reply = server.removebg(encode(photo("astronaut").resize((200, 200))), size="full")
    assert decode(reply.content).size == (200, 200)


@pytest.mark.parametrize("fmt,content_type,kind", [
    ("png", "image/png", "PNG"), ("jpg", "image/jpeg", "JPEG"), ("webp", "image/webp", "WEBP"),
    ("auto", "image/png", "PNG")])
def test_formats(server, astronaut, fmt, content_type, kind):
    reply = server.removebg(astronaut, format=fmt)
    assert reply.headers["Content-Type"] == content_type
    assert decode(reply.content).format == kind


def test_values_are_read_in_any_case(server, astronaut):
    reply = server.removebg(astronaut, format="PNG", size="Full", bg_color="White", crop="True",
                            scale="Original", position="Center", channels="RGBA")
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "image/png"


def test_auto_format_is_jpeg_when_nothing_is_transparent(server, astronaut):
    reply = server.removebg(astronaut, bg_color="#fff")
    assert reply.headers["Content-Type"] == "image/jpeg"


def test_jpeg_is_on_white(server, astronaut):
    image = decode(server.removebg(astronaut, format="jpg").content)
    assert min(image.getpixel((4, 4))) >= 250


def test_zip_holds_colour_and_alpha(server, astronaut):
    reply = server.removebg(astronaut, format="zip")
    assert reply.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["alpha.png", "color.jpg"]
        colour, matte = decode(archive.read("color.jpg")), decode(archive.read("alpha.png"))
    assert colour.mode == "RGB" and matte.mode == "L" and colour.size == matte.size
    png = decode(server.removebg(astronaut, format="png").content)
    difference = numpy.abs(numpy.asarray(matte, dtype=float) / 255 - alpha_of(png)).mean()
    assert difference < 0.005


def test_alpha_channel_is_a_mask(server, astronaut):
    image = decode(server.removebg(astronaut, channels="alpha", format="png").content)
    matte = numpy.asarray(image.convert("L"), dtype=float) / 255
    assert numpy.abs(matte - alpha_of(decode(server.removebg(astronaut).content))).mean() < 0.005


@pytest.mark.parametrize("colour,pixel", [
    ("81d4fa", (0x81, 0xd4, 0xfa, 255)), ("#f00", (255, 0, 0, 255)),
    ("green", (0, 128, 0, 255)), ("0000ff80", (0, 0, 255, 128))])
def test_background_colour(server, astronaut, colour, pixel):
    image = decode(server.removebg(astronaut, bg_color=colour, format="png").content)
    assert image.convert("RGBA").getpixel((4, 4)) == pytest.approx(pixel, abs=2)


def test_background_image_covers_the_canvas(server, astronaut):
    background = Image.new("RGB", (400, 100), (0, 200, 0))
    background.paste((200, 0, 0), (0, 0, 150, 100))
    background.paste((0, 0, 200), (250, 0, 400, 100))
    reply = server.removebg(astronaut, format="png", files={
        "bg_image_file": ("bg.png", encode(background, "PNG"))})
    assert reply.status_code == 200, reply.text
    image = decode(reply.content).convert("RGB")
    # A square canvas shows the middle quarter of a 4:1 picture, which is green alone.
    assert image.getpixel((4, 4)) == pytest.approx((0, 200, 0), abs=6)
    assert image.getpixel((image.width - 5, 4)) == pytest.approx((0, 200, 0), abs=6)


def test_crop_leaves_the_subject(server):
    canvas = Image.new("RGB", (900, 700), (235, 235, 235))
    canvas.paste(photo("coffee").resize((300, 200)), (300, 250))
    whole = server.removebg(encode(canvas, "PNG"), size="full", format="png")
    cropped = server.removebg(encode(canvas, "PNG"), size="full", format="png", crop="true")
    assert cropped.status_code == 200, cropped.text
    image = decode(cropped.content)
    assert image.size == pytest.approx((header_number(whole, "X-Foreground-Width"),
                                        header_number(whole, "X-Foreground-Height")), abs=2)


def test_crop_margin_is_of_the_subject(server, astronaut):
    plain = decode(server.removebg(astronaut, size="full", crop="true").content)
    wide = decode(server.removebg(astronaut, size="full", crop="true",
                                  crop_margin="10% 20px").content)
    assert wide.width == pytest.approx(plain.width + 40, abs=1)
    assert wide.height == pytest.approx(plain.height * 1.2, abs=2)


def test_crop_margin_without_crop_is_ignored(server, astronaut):
    image = decode(server.removebg(astronaut, crop_margin="30px", size="full").content)
    assert image.size == (512, 512)


def subject_box(image):
    rows, columns = numpy.nonzero(alpha_of(image) > VISIBLE)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_scale_is_of_the_canvas_and_centres(server, astronaut):
    image = decode(server.removebg(astronaut, scale="50%", size="full").content)
    assert image.size == (512, 512)
    left, top, right, bottom = subject_box(image)
    assert max(right - left, bottom - top) == pytest.approx(256, abs=6)
    assert (left + right) / 2 == pytest.approx(256, abs=6)
    assert (top + bottom) / 2 == pytest.approx(256, abs=6)


@pytest.mark.parametrize("position,side", [("0% 0%", "top left"), ("100%", "bottom right")])
def test_position(server, astronaut, position, side):
    image = decode(server.removebg(astronaut, scale="40%", position=position, size="full").content)
    left, top, right, bottom = subject_box(image)
    if side == "top left":
        assert left <= 6 and top <= 6
    else:
        assert right >= 506 and bottom >= 506


@pytest.mark.parametrize("margin,sides", [
    ("10px", (10, 10, 10, 10)), ("10px 20px", (10, 20, 10, 20)),
    ("0 5% 10% 15px", (0, 0.05, 0.10, 15))])
def test_crop_margins_are_in_css_order(server, astronaut, margin, sides):
    plain = server.removebg(astronaut, size="full", format="png", crop="true")
    wide = decode(server.removebg(astronaut, size="full", format="png", crop="true",
                                  crop_margin=margin).content)
    width, height = decode(plain.content).size
    top, right, bottom, left = (
        side if side >= 1 else side * (height if index % 2 == 0 else width)
        for index, side in enumerate(sides))
    assert wide.size == pytest.approx((width + left + right, height + top + bottom), abs=2)
    box = subject_box(wide)
    assert box[0] == pytest.approx(left, abs=6) and box[1] == pytest.approx(top, abs=6)


def test_roi_limits_where_the_subject_is_looked_for(server, astronaut):
    image = decode(server.removebg(astronaut, roi="0% 0% 100% 40%", size="full").content)
    alpha = alpha_of(image)
    assert alpha[220:].max() < 0.02 and alpha[:200].max() > 0.9


def test_shadow_darkens_below_the_subject(server):
    canvas = Image.new("RGB", (600, 600), (240, 240, 240))
    canvas.paste(photo("coffee").resize((300, 200)), (150, 150))
    plain = server.removebg(encode(canvas, "PNG"), format="png")
    shadow = server.removebg(encode(canvas, "PNG"), format="png", add_shadow="true")
    assert shadow.status_code == 200
    assert alpha_of(decode(shadow.content)).sum() > alpha_of(decode(plain.content)).sum() + 50


def test_shadow_opacity_says_how_dark(server):
    canvas = Image.new("RGB", (600, 600), (240, 240, 240))
    canvas.paste(photo("coffee").resize((300, 200)), (150, 150))
    picture = encode(canvas, "PNG")

    def shadow(**fields):
        reply = server.removebg(picture, format="png", **fields)
        assert reply.status_code == 200, reply.text
        return alpha_of(decode(reply.content))

    none, full, half = (shadow(shadow_type="drop", shadow_opacity=opacity)
                        for opacity in ("0", "100", "50"))
    assert numpy.array_equal(none, shadow())
    outside = (none == 0) & (full > 0.2)
    assert outside.sum() > 100
    assert (half[outside] / full[outside]).mean() == pytest.approx(0.5, abs=0.02)
    auto = shadow(add_shadow="true", shadow_opacity="auto")
    assert numpy.array_equal(auto, shadow(add_shadow="true"))
    assert (auto[outside] / full[outside]).mean() == pytest.approx(0.45, abs=0.02)


@pytest.mark.parametrize("level,header", [("none", False), ("1", True), ("2", True),
                                          ("latest", True)])
def test_type_level(server, astronaut, level, header):
    reply = server.removebg(astronaut, type_level=level, type="person")
    assert ("X-Type" in reply.headers) == header


@pytest.mark.parametrize("kind", ["auto", "person", "product", "car", "animal", "graphic",
                                  "transportation"])
def test_every_type_is_taken(server, astronaut, kind):
    assert server.removebg(astronaut, type=kind).status_code == 200


def test_the_same_request_gives_the_same_bytes(server, astronaut):
    first = server.removebg(astronaut, format="png", crop="true")
    assert server.removebg(astronaut, format="png", crop="true").content == first.content


def test_account_of_a_limited_key(server):
    reply = server.get("/v1.0/account", "ten")
    assert reply.status_code == 200
    attributes = reply.json()["data"]["attributes"]
    assert set(attributes["credits"]) == {"total", "subscription", "payg", "enterprise"}
    assert attributes["credits"]["total"] == 10 and attributes["credits"]["payg"] == 10
    assert attributes["api"] == {"free_calls": 0, "sizes": "all"}


def test_account_of_an_unlimited_key(server):
    assert server.balance(KEY) >= 1e6


@pytest.mark.parametrize("path,method", [("/v1.0/removebg", "GET"), ("/v1.0/account", "POST")])
def test_wrong_method_in_the_vendors_shape(server, path, method):
    reply = requests.request(method, server.url + path, timeout=10)
    assert error(reply)[0] == 405
    assert reply.headers["Allow"]


def test_unknown_address_in_the_vendors_shape(server):
    assert error(server.get("/v1.0/nothing")) == (404, "not_found")


def test_improve_keeps_the_picture_for_the_operator(server, astronaut):
    reply = server.post("/v1.0/improve", files={"image_file": ("a.jpg", astronaut)},
                        data={"image_filename": "süß.jpg", "tag": "hair"})
    assert reply.status_code == 200, reply.text
    folder = server.data / "improve" / reply.json()["id"]
    assert (folder / "image.jpeg").read_bytes() == astronaut
    assert '"hair"' in (folder / "info.json").read_text()
    assert KEY not in (folder / "info.json").read_text()
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_improve_takes_pictures_only(server):
    reply = server.post("/v1.0/improve", files={"image_file": ("a.jpg", b"%PDF-1.4 no picture")})
    assert error(reply) == (400, "invalid_file_type")


def test_improve_needs_a_source_and_a_key(server, astronaut):
    assert error(server.post("/v1.0/improve", data={"tag": "x"})) == (400, "missing_source")
    reply = server.post("/v1.0/improve", key="nope", files={"image_file": astronaut})
    assert error(reply) == (403, "auth_failed")


def test_one_line_is_logged_for_a_request(server, astronaut):
    reply = server.removebg(astronaut)
    wanted = reply.headers["X-Request-Id"]
    time.sleep(0.1)
    lines = [line for line in server.log()
             if line.get("request_id") == wanted and line["event"] == "image request done"]
    assert len(lines) == 1
    assert lines[0]["status"] == 200 and lines[0]["inference_ms"] >= 0
    assert KEY not in server.log_text()
