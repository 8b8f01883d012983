#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpora of the fuzz targets: `seeds.py TARGET FOLDER`."""

import io
import sys
from pathlib import Path

from PIL import Image

FIELDS = {
    "size": "auto",
    "bg_color": "#81d4fa77",
    "roi": "10% 20px 90% 100%",
    "crop_margin": "30px 10% 5px 2%",
    "scale": "80%",
    "position": "center",
    "image_url": "data:image/png;base64,iVBORw0KGgo=",
    "ranges": "10.0.0.0/8,fd00::/8",
}


def multipart(quote, extra, close):
    parts = "".join(
        f"--B\r\nContent-Disposition: form-data; name={quote}{name}{quote}{extra}\r\n\r\n"
        f"{value}\r\n" for name, value in FIELDS.items())
    return f"multipart/form-data; boundary={quote}B{quote}\n{parts}--B--{close}"


def form():
    yield multipart('"', "", "\r\n")
    yield multipart("", "", "")
    yield multipart('"', '; filename="a\\"b.png"\r\nContent-Type: image/png', "\r\nepilogue")
    yield multipart('"', "; filename*=UTF-8''%e2%82%ac.png\r\n folded", "\r\n")
    yield "multipart/form-data; boundary=B\npreamble\r\n--B \t\r\n\r\n\r\n--B--\r\n"
    yield "application/x-www-form-urlencoded\n" + "&".join(
        f"{name}={value.replace('%', '%25').replace(' ', '+')}" for name, value in FIELDS.items())
    members = ",".join(f'"{name}":"{value}"' for name, value in FIELDS.items())
    yield "application/json\n{" + members + ',"n":-1.5e3,"t":true,"f":false,"z":null}'
    for value in ("0.5px 1 2% 3", "original", "top", "50% 0%", "rgb", "rebeccapurple", "abcd"):
        yield f"application/x-www-form-urlencoded\na={value}"


def probe():
    """A small picture of every format that Pillow writes and the server reads."""
    picture = Image.new("RGB", (24, 16), "orange")
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
        for mode in ("RGB", "L"):
            file = io.BytesIO()
            picture.convert(mode).save(file, kind)
            yield file.getvalue()


TARGETS = {"fuzz_form": form, "fuzz_probe": probe}


def main():
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[target]()):
        data = seed if isinstance(seed, bytes) else seed.encode()
        (folder / f"seed-{number:03}").write_bytes(data)


if __name__ == "__main__":
    main()
