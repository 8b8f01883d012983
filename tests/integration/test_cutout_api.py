# SPDX-License-Identifier: Apache-2.0
"""Our own API, as the web page uses it: with a key, or without one from the same machine."""

import pytest
import requests

from harness import KEY, decode, error

PAGE = {"X-Requested-With": "imagesync"}


def post(server, image, headers=PAGE, files=None, **fields):
    parts = {"image": ("a.jpg", image)} if image is not None else {"x": (None, "")}
    return requests.post(server.url + "/v1/cutout", files={**parts, **(files or {})}, data=fields,
                         headers=headers, timeout=60)


def problem(reply):
    assert reply.headers["Content-Type"] == "application/problem+json"
    body = reply.json()
    assert {"type", "title", "status", "code", "request_id"} <= set(body)
    assert body["status"] == reply.status_code
    return reply.status_code, body["code"]


def test_page_config(server):
    config = requests.get(server.url + "/v1/page-config", timeout=10).json()
    assert config == {"key_required": False, "formats": ["png", "jpg", "webp", "avif", "zip"],
                      "file_bytes_max": 22 << 20, "pixels_max": 50_000_000}


@pytest.mark.parametrize("fmt,kind", [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"),
                                      ("avif", "image/avif"), ("zip", "application/zip")])
def test_without_a_key_from_this_machine(server, astronaut, fmt, kind):
    reply = post(server, astronaut, format=fmt)
    assert reply.status_code == 200, reply.text
    if "/" in kind:
        assert reply.headers["Content-Type"] == kind
    else:
        assert decode(reply.content).format == kind
    assert reply.headers["X-Width"] == "512" and reply.headers["X-Foreground-Width"]
    assert "inference;dur=" in reply.headers["Server-Timing"]


def test_backgrounds(server, astronaut):
    red = decode(post(server, astronaut, background_color="red").content).convert("RGB")
    assert red.getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=4)
    assert post(server, astronaut, blur="true", format="jpg").status_code == 200
    assert post(server, astronaut, blur="0.03", format="jpg").status_code == 200
    reply = post(server, astronaut, files={"background": ("b.jpg", astronaut)}, format="webp")
    assert reply.status_code == 200
    reply = post(server, astronaut, blur="true", background_color="red")
    assert problem(reply) == (400, "multiple_bg_sources")


@pytest.mark.parametrize("field,value,code", [
    ("format", "gif", "invalid_format"), ("channels", "x", "invalid_channels"),
    ("background_color", "x", "invalid_bg_color"), ("blur", "0.2", "invalid_blur"),
    ("blur", "x", "invalid_blur"), ("crop", "x", "invalid_crop"),
    ("crop_margin", "51%", "invalid_crop_margin"),
    ("quality", "101", "invalid_quality"), ("quality", "0", "invalid_quality"),
    ("model", "../etc/passwd", "invalid_model"), ("model", "absent", "invalid_model")])
def test_wrong_values(server, astronaut, field, value, code):
    assert problem(post(server, astronaut, **{field: value})) == (400, code)


def test_crop_margin_widens_the_crop(server, astronaut):
    tight = decode(post(server, astronaut, crop="true").content)
    wide = decode(post(server, astronaut, crop="true", crop_margin="10px 20px").content)
    assert (wide.width, wide.height) == (tight.width + 40, tight.height + 20)


def test_another_recipe_for_the_same_photo_is_quick_and_free(start, astronaut):
    server = start(keys="counted:5")
    headers = {"X-Api-Key": "counted"}

    def credits():
        reply = requests.get(server.url + "/v1.0/account", headers=headers, timeout=10)
        return reply.json()["data"]["attributes"]["credits"]["total"]

    first = post(server, astronaut, headers, format="png")
    assert first.status_code == 200 and credits() == 4
    again = post(server, astronaut, headers, format="png")
    assert again.content == first.content
    assert post(server, astronaut, headers, background_color="red").status_code == 200
    assert credits() == 4


def test_without_the_kept_matte_each_rendition_costs(start, astronaut):
    server = start(keys="counted:2", matte_cache_mib=0)
    headers = {"X-Api-Key": "counted"}
    replies = [post(server, astronaut, headers, format="png") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 402]
    assert replies[0].content == replies[1].content


def test_quality_changes_the_size(server, astronaut):
    low = post(server, astronaut, format="jpg", quality="20", background_color="white")
    high = post(server, astronaut, format="jpg", quality="95", background_color="white")
    assert len(low.content) < len(high.content) / 2


def test_missing_and_broken_pictures(server):
    assert problem(post(server, None)) == (400, "missing_source")
    assert problem(post(server, b"words")) == (400, "invalid_file_type")


def test_another_site_cannot_use_the_page(server, astronaut):
    foreign = [
        {}, {"X-Requested-With": "XMLHttpRequest"},
        {**PAGE, "Origin": "https://evil.example"}, {**PAGE, "Origin": "null"},
        {**PAGE, "Sec-Fetch-Site": "cross-site"}, {**PAGE, "Sec-Fetch-Site": "same-site"},
        {**PAGE, "Host": "evil.example"}, {**PAGE, "Host": f"evil.example:{server.port}"},
    ]
    for headers in foreign:
        assert problem(post(server, astronaut, headers)) == (403, "foreign_origin"), headers


def test_the_pages_own_requests_pass(server, astronaut):
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}"):
        headers = {**PAGE, "Host": host, "Origin": f"http://{host}",
                   "Sec-Fetch-Site": "same-origin"}
        assert post(server, astronaut, headers).status_code == 200, host


def test_no_cors(server, astronaut):
    reply = requests.options(server.url + "/v1/cutout", timeout=10, headers={
        "Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_behind_a_proxy_a_key_is_needed(server, astronaut):
    if server.backend == "split":
        pytest.skip("its proxy is believed: see test_split.py")
    reply = post(server, astronaut, {**PAGE, "X-Forwarded-For": "203.0.113.9"})
    assert problem(reply) == (403, "auth_failed")
    assert post(server, astronaut, {"X-Api-Key": KEY}).status_code == 200


def test_page_access_key(start, astronaut):
    server = start(page_access="key")
    assert requests.get(server.url + "/v1/page-config", timeout=10).json()["key_required"] is True
    assert problem(post(server, astronaut)) == (403, "auth_failed")
    assert problem(post(server, astronaut, {"X-Api-Key": "wrong"})) == (403, "auth_failed")
    assert post(server, astronaut, {"X-Api-Key": KEY}).status_code == 200


def test_unknown_addresses_are_problems_and_vendor_errors_stay_theirs(server):
    reply = requests.get(server.url + "/v1/nothing", timeout=10)
    assert problem(reply) == (404, "not_found")
    assert error(requests.get(server.url + "/v1.0/nothing", timeout=10))[0] == 404
