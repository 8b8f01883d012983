# SPDX-License-Identifier: Apache-2.0
"""image_url and bg_image_url: what is fetched, what is refused, and how that is told."""

import time

import pytest

from harness import error


def test_an_image_is_fetched(server, site, astronaut):
    site.pages["/a.jpg"] = astronaut
    reply = server.post("/v1.0/removebg", json={"image_url": site.url + "/a.jpg"})
    assert reply.status_code == 200, reply.text
    assert reply.content == server.removebg(astronaut).content


def test_a_background_is_fetched(server, site, astronaut):
    site.pages["/bg.jpg"] = astronaut
    reply = server.removebg(astronaut, bg_image_url=site.url + "/bg.jpg")
    assert reply.status_code == 200, reply.text


def test_a_redirect_is_followed(server, site, astronaut):
    site.pages["/b.jpg"] = astronaut
    site.redirect("/r", "/b.jpg")
    assert server.removebg(image_url=site.url + "/r").status_code == 200


def test_a_name_with_a_blank_is_fetched(server, site, astronaut):
    site.pages["/my%20photo.jpg"] = astronaut
    assert server.removebg(image_url=site.url + "/my photo.jpg").status_code == 200


def test_an_empty_download(server, site):
    site.pages["/empty.jpg"] = b""
    reply = server.removebg(image_url=site.url + "/empty.jpg")
    assert error(reply) == (400, "failed_image_download")


@pytest.mark.parametrize("url", ["ftp://example.com/a.jpg", "file:///etc/passwd", "nonsense",
                                 "http://user:secret@127.0.0.1/a.jpg", "gopher://x/", "http://"])
def test_urls_that_are_none(server, url):
    assert error(server.removebg(image_url=url)) == (400, "invalid_image_url")


def test_background_urls_that_are_none(server, astronaut):
    reply = server.removebg(astronaut, bg_image_url="file:///etc/passwd")
    assert error(reply) == (400, "invalid_bg_image_url")


def test_failed_downloads(server, site, astronaut):
    assert error(server.removebg(image_url=site.url + "/absent")) == (400, "failed_image_download")
    reply = server.removebg(astronaut, bg_image_url=site.url + "/absent")
    assert error(reply) == (400, "failed_bg_download")
    reply = server.removebg(image_url="http://127.0.0.1:9/refused.jpg")
    assert error(reply) == (400, "failed_image_download")


# 127.0.0.1 alone is allowed by this server's configuration; nothing of these is.
PRIVATE = ["127.0.0.2", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254",
           "100.64.0.1", "224.0.0.1", "[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.2]",
           "[64:ff9b::7f00:2]", "[2002:7f00:2::]", "2130706434", "0x7f000002", "017700000002"]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused(server, host):
    started = time.monotonic()
    status, code = error(server.removebg(image_url=f"http://{host}:80/a.jpg"))
    assert (status, code) in {(400, "failed_image_download"), (400, "invalid_image_url")}
    assert time.monotonic() - started < 3, "it was tried"


@pytest.mark.parametrize("host", ["127.0.0.2", "169.254.169.254", "[::1]"])
def test_backgrounds_from_private_addresses_are_refused(server, site, astronaut, host):
    site.requests.clear()
    reply = server.removebg(astronaut, bg_image_url=f"http://{host}:{site.port}/a.jpg")
    assert error(reply) == (400, "failed_bg_download")
    assert not site.requests


@pytest.mark.parametrize("host", ["127.0.0.2", "169.254.169.254", "[::1]"])
def test_redirects_to_private_addresses_are_refused(server, site, host):
    site.redirect("/away", f"http://{host}:{site.port}/secret")
    site.pages["/secret"] = b"secret"
    assert error(server.removebg(image_url=site.url + "/away")) == (400, "failed_image_download")
    assert "/secret" not in site.requests


def test_redirects_to_other_schemes_are_refused(server, site):
    site.redirect("/file", "file:///etc/passwd")
    assert error(server.removebg(image_url=site.url + "/file"))[0] == 400


def test_endless_redirects_end(server, site):
    site.redirect("/loop", "/loop")
    assert error(server.removebg(image_url=site.url + "/loop")) == (400, "failed_image_download")


def test_a_download_over_the_limit(server, site):
    site.pages["/large"] = bytes(23 << 20)
    assert error(server.removebg(image_url=site.url + "/large")) == (400, "file_too_large")


def test_a_download_that_never_ends(server, site):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass
    site.pages["/drip"] = drip
    started = time.monotonic()
    assert error(server.removebg(image_url=site.url + "/drip")) == (400, "failed_image_download")
    assert time.monotonic() - started < 15


def test_loopback_is_refused_unless_configured(start, site, astronaut):
    site.pages["/a.jpg"] = astronaut
    plain = start()
    site.requests.clear()
    assert error(plain.removebg(image_url=site.url + "/a.jpg")) == (400, "failed_image_download")
    assert error(plain.removebg(image_url=f"http://localhost:{site.port}/a.jpg")) == (
        400, "failed_image_download")
    assert not site.requests
