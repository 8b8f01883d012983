# SPDX-License-Identifier: Apache-2.0
"""Films without a picture in them, and the two halves of a Live Photo, as phones write them."""

import struct

from PIL import Image

from library import picture

EPOCH = 2082844800  # 1970, in seconds since the beginning of 1904


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def large_box_head(kind, size):
    """Of a box that is too long for 32 bits."""
    return struct.pack(">I4sQ", 1, kind, size)


def meta(texts):
    keys = [box(b"mdta", key.encode()) for key in texts]
    items = [box(struct.pack(">I", i + 1), box(b"data", struct.pack(">II", 1, 0), value.encode()))
             for i, value in enumerate(texts.values())]
    return box(b"meta", box(b"hdlr", bytes(8), b"mdta", bytes(12)),
               box(b"keys", struct.pack(">II", 0, len(keys)), *keys), box(b"ilst", *items))


def track(width, height):
    matrix = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    return box(b"trak", box(b"tkhd", bytes(40), matrix, struct.pack(">II", width << 16, height << 16)),
               box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(12))))


def moov(texts=None, created=0, seconds=2.5, size=(1440, 1080)):
    head = box(b"mvhd", struct.pack(">5I", 0, created + EPOCH if created else 0, 0, 1000,
                                    int(seconds * 1000)), bytes(80))
    return box(b"moov", head, track(*size), meta(texts or {}))


def ftyp(brand=b"qt  "):
    return box(b"ftyp", brand, bytes(4), brand)


def film(seed=0, brand=b"qt  ", **said):
    """One that is like no other of another seed; the description comes last."""
    return ftyp(brand) + box(b"mdat", struct.pack(">Q", seed) * 50) + moov(**said)


def live(content_id, seed=0, taken="2026:05:04 12:30:00", **said):
    """The picture and the film of a Live Photo."""
    note = (b"Apple iOS\0\0\1MM\0\1\0\x11\0\2\0\0\0\x25\0\0\0\x20\0\0\0\0"
            + content_id.encode() + b"\0")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Apple", "iPhone 15 Pro"
    exif.get_ifd(0x8769).update({0x9003: taken, 0x9011: "+02:00", 0x927C: note})
    texts = {"com.apple.quicktime.content.identifier": content_id, **said}
    return picture(1000 + seed, exif=exif), film(1000 + seed, texts=texts)
