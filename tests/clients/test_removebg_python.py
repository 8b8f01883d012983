# SPDX-License-Identifier: Apache-2.0
"""The PyPI package removebg, unmodified but for its base URL."""

import base64

import pytest
import requests
from removebg import removebg

from harness import KEY, decode
from people import Person


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    monkeypatch.setattr(removebg, "API_ENDPOINT", server.url + "/v1.0/removebg")
    return removebg.RemoveBg(KEY, str(tmp_path / "error.log"))


def is_cutout(path, pixels=250_000):
    image = decode(path.read_bytes())
    assert image.mode == "RGBA" and image.width * image.height <= pixels
    assert image.getpixel((4, 4))[3] < 25


def test_from_file(client, photo_file):
    client.remove_background_from_img_file(str(photo_file))
    is_cutout(photo_file.with_name(photo_file.name + "_no_bg.png"))


def test_from_file_at_4k_on_a_colour(client, photo_file):
    client.remove_background_from_img_file(str(photo_file), size="4k", bg_color="ff0000")
    image = decode(photo_file.with_name(photo_file.name + "_no_bg.png").read_bytes())
    assert image.size == (512, 512)
    assert image.convert("RGB").getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=4)


def test_from_url(client, photo_url, tmp_path):
    client.remove_background_from_img_url(photo_url, new_file_name=str(tmp_path / "out.png"))
    is_cutout(tmp_path / "out.png")


def test_from_base64(client, photo_file, tmp_path):
    text = base64.b64encode(photo_file.read_bytes())
    client.remove_background_from_base64_img(text, new_file_name=str(tmp_path / "out.png"))
    is_cutout(tmp_path / "out.png")


def test_with_the_key_of_a_user(server, photo_file, tmp_path, monkeypatch):
    key = Person(server).call("POST", "/v1/api-keys", {"name": "client"}).json()["key"]
    monkeypatch.setattr(removebg, "API_ENDPOINT", server.url + "/v1.0/removebg")
    mine = removebg.RemoveBg(key, str(tmp_path / "error.log"))
    mine.remove_background_from_img_file(str(photo_file))
    is_cutout(photo_file.with_name(photo_file.name + "_no_bg.png"))
    assert server.balance(key) == 0.75


def test_errors_reach_the_caller(server, photo_file, tmp_path, monkeypatch):
    monkeypatch.setattr(removebg, "API_ENDPOINT", server.url + "/v1.0/removebg")
    stranger = removebg.RemoveBg("wrong", str(tmp_path / "error.log"))
    with pytest.raises(requests.HTTPError, match="403"):
        stranger.remove_background_from_img_file(str(photo_file))
