#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for `imagesync serve`: the page and its two endpoints, with an ellipse as the subject.

Prints the same "listening" line on standard error.
"""

import email.parser
import email.policy
import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageOps

WEB = Path(__file__).resolve().parents[2] / "web"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG", "avif": "AVIF"}
MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "avif": "image/avif"}
FILE_BYTES_MAX = 22 << 20
CSP = ("default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'")


class Refused(Exception):
    def __init__(self, status, title, detail):
        super().__init__(title)
        self.status, self.title, self.detail = status, title, detail


def fields_of(content_type, body):
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    parts = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        parts[name] = (part.get_filename(), part.get_payload(decode=True))
    return parts


def open_image(data):
    try:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    except Exception as error:
        raise Refused(400, "The image cannot be read",
                      "The file is not an image, or it is damaged.") from error


def blurred(photo, matte, sigma):
    """The background alone, blurred: what surely is none of it does not weigh."""
    weight = matte.point(lambda value: 0 if value else 255)
    photo = Image.composite(photo, Image.new("RGB", photo.size), weight)
    sums = [numpy.asarray(plane.filter(ImageFilter.GaussianBlur(sigma)), dtype=float)
            for plane in (*photo.split(), weight)]
    shares = [numpy.clip(255 * plane / numpy.maximum(sums[3], 1), 0, 255) for plane in sums[:3]]
    return Image.merge("RGB", [Image.fromarray(share.astype("uint8")) for share in shares]
                       ).convert("RGBA")


def render(fields):
    text = {name: value[1].decode() for name, value in fields.items()
            if name not in ("image", "background")}
    photo = open_image(fields["image"][1])
    width, height = photo.size
    box = [round(width * 0.2), round(height * 0.15), round(width * 0.8), round(height * 0.95)]
    matte = Image.new("L", photo.size)
    ImageDraw.Draw(matte).ellipse(box, fill=255)
    matte = matte.filter(ImageFilter.GaussianBlur(1))
    result = photo.convert("RGBA")
    result.putalpha(matte)

    under = None
    if "background_color" in text:
        under = Image.new("RGBA", photo.size, text["background_color"])
    elif "background" in fields:
        under = ImageOps.fit(open_image(fields["background"][1]), photo.size).convert("RGBA")
    elif "blur" in text:
        under = blurred(photo, matte, float(text["blur"]) * max(photo.size))
    if under:
        result = Image.alpha_composite(under, result)
    if text.get("crop") == "true":
        share = float(text.get("crop_margin", "0%").rstrip("%")) / 100
        dx, dy = (box[2] - box[0]) * share, (box[3] - box[1]) * share
        result = result.crop((round(box[0] - dx), round(box[1] - dy),
                              round(box[2] + dx), round(box[3] + dy)))
    name = text.get("format", "png")
    if name == "jpg":
        white = Image.new("RGBA", result.size, "white")
        result = Image.alpha_composite(white, result).convert("RGB")
    out = io.BytesIO()
    result.save(out, FORMATS[name])
    return out.getvalue(), MEDIA_TYPES[name], result.size, box


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, media_type, body, **headers):
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, status, media_type, value):
        self.answer(status, media_type, json.dumps(value).encode())

    def do_GET(self):
        if self.path == "/v1/page-config":
            self.answer_json(200, "application/json", {
                "key_required": False, "formats": list(FORMATS),
                "file_bytes_max": FILE_BYTES_MAX, "pixels_max": 100_000_000})
            return
        path = WEB / ("index.html" if self.path == "/" else self.path.lstrip("/"))
        if path.parent == WEB and path.is_file():
            self.answer(200, TYPES[path.suffix], path.read_bytes(), Content_Security_Policy=CSP,
                        Cache_Control="no-cache")
        else:
            self.answer_json(404, "application/problem+json", {"title": "Not found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.cutout(fields_of(self.headers["Content-Type"], body))
        except Refused as refused:
            self.answer_json(refused.status, "application/problem+json",
                             {"status": refused.status, "title": refused.title,
                              "detail": refused.detail})

    def cutout(self, fields):
        data, media_type, size, box = render(fields)
        self.answer(200, media_type, data, X_Width=size[0], X_Height=size[1],
                    X_Foreground_Left=box[0], X_Foreground_Top=box[1],
                    X_Foreground_Width=box[2] - box[0], X_Foreground_Height=box[3] - box[1])


def main():
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0), Handler)
    print(json.dumps({"event": "listening", "port": server.server_port}), file=sys.stderr,
          flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
