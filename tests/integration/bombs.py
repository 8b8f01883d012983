# SPDX-License-Identifier: Apache-2.0
"""Pictures that are meant to cost whoever looks into them much time or memory; each of another seed is
another file."""

import io
import struct
import zlib

from PIL import Image

from library import picture

EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
MIB = 1 << 20


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(seed, *segments):
    """A JPEG with these before all that it has."""
    content = picture(seed)
    return content[:2] + b"".join(segments) + content[2:]


def exif(*directories, first=8):
    """A block of EXIF: directories of (entries, next), one after the other."""
    block = b"MM\0*" + struct.pack(">I", first)
    for entries, following in directories:
        block += struct.pack(">H", len(entries))
        block += b"".join(struct.pack(">HHII", *entry) for entry in entries)
        block += struct.pack(">I", following)
    return segment(0xE1, EXIF + block)


def directories_in_circles(seed):
    """One that follows itself, and is its own subdirectory of each kind."""
    pointers = [(tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005, 0x014A)]
    return with_segments(seed, exif((pointers, 8)))


def a_deep_chain_of_directories(seed):
    """As many as fit, each below the one before."""
    size, chain = 2 + 12 + 4, []
    for number in range(3600):
        chain.append(([(0x8769, 4, 1, 8 + size * (number + 1))], 0))
    return with_segments(seed, exif(*chain))


def entries_that_claim_gigabytes(seed):
    entries = [(0x010F + number % 256, 2 + number % 11, 0xFFFFFFF0, 8) for number in range(5000)]
    return with_segments(seed, exif((entries, 0)))


def many_segments_of_metadata(seed):
    """32 MiB of it."""
    return with_segments(seed, *([segment(0xE1, XMP + b"<x>" * 21800)] * 500))


def a_profile_of_many_segments(seed):
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 255]) + b"\0" * 65000)
             for number in range(1, 256)]
    return with_segments(seed, *parts)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(
        ">I", zlib.crc32(kind + content))


def zeros(length):
    """That many zeros, packed: blocks that are all alike, and their checksum (RFC 1950)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b"\0" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = packer.compress(b"\0" * (length % MIB)) + packer.flush()
    return b"\x78\xda" + block * (length // MIB) + rest + struct.pack(">HH", length % 65521, 1)


def png(width, height, *chunks, kind=2, depth=8):
    """A black one."""
    row = 1 + width * depth * (3 if kind == 2 else 1) // 8
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks,
                     chunk(b"IDAT", zeros(row * height)), chunk(b"IEND", b"")])


def a_profile_that_unpacks_to_a_gigabyte(seed):
    return png(64, 48 + seed % 50, chunk(b"iCCP", b"icc\0\0" + zeros(1024 * MIB)))


def texts_that_unpack_to_gigabytes(seed):
    text = chunk(b"zTXt", b"Comment\0\0" + zeros(256 * MIB))
    return png(64, 48 + seed % 50, *[text] * 60)


def a_million_texts(seed):
    return png(64, 48 + seed % 50, *[chunk(b"tEXt", b"a\0b")] * 1_000_000)


def a_picture_that_unpacks_to_gigabytes(seed):
    return png(60_000 + seed, 40_000, kind=0, depth=1)


def tiff(tags, following=0, data=b"", at=8):
    """`tags`: (tag, type, count, value), with what they point to after the directory."""
    tags = sorted(tags)
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", at) + directory + data


def tiles(width, height, side, count=None, lengths=None):
    """Of one tile that all point to."""
    across, down = -(-width // side), -(-height // side)
    count = across * down if count is None else count
    start = 8 + 2 + 11 * 12 + 4
    tile = start + 8 * count
    content = struct.pack("<I", tile) * count
    content += struct.pack("<I", lengths or side * side * 3) * count + b"\x80" * (side * side * 3)
    bits = tile + side * side * 3
    return tiff([(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 1),
                 (262, 3, 1, 2), (277, 3, 1, 3), (284, 3, 1, 1), (322, 4, 1, side),
                 (323, 4, 1, side), (324, 4, count, start), (325, 4, count, start + 4 * count)],
                data=content + struct.pack("<HHH", 8, 8, 8))


def a_hundred_thousand_tiles(seed):
    return tiles(5000 + seed % 16, 5056, 16)


def tiles_that_claim_gigabytes(seed):
    return tiles(640 + seed % 16, 480, 16, lengths=0xFFFFFFF0)


def a_tile_of_gigabytes(seed):
    return tiles(640 + seed % 16, 480, 16).replace(
        struct.pack("<HHII", 322, 4, 1, 16), struct.pack("<HHII", 322, 4, 1, 65520)).replace(
        struct.pack("<HHII", 323, 4, 1, 16), struct.pack("<HHII", 323, 4, 1, 65520))


def pages_in_a_circle(seed):
    content = tiles(640 + seed % 16, 480, 16)
    return content[:8 + 2 + 11 * 12] + struct.pack("<I", 8) + content[8 + 2 + 11 * 12 + 4:]


def a_hundred_thousand_pages(seed):
    """Tiny ones, each with its directory."""
    size = 2 + 10 * 12 + 4
    out = [b"II*\0" + struct.pack("<I", 16), b"\0" * 4, struct.pack("<I", seed)]
    for number in range(100_000):
        tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
                (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1), (284, 3, 1, 1)]
        out.append(struct.pack("<H", len(tags)) + b"".join(
            struct.pack("<HHII", *tag) for tag in tags))
        out.append(struct.pack("<I", 16 + size * (number + 1) if number < 99_999 else 0))
    return b"".join(out)


def gif(width, height, frames, seed):
    frame = b"\x21\xf9\x04\0\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + (
        b"\x02\x02\x44\x01\0")
    return (b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes([0, 0, 0, 9, 9, 9])
            + b"\x21\xfe\x04" + struct.pack("<I", seed) + b"\0" + frame * frames + b"\x3b")


def a_gif_as_large_as_can_be(seed):
    return gif(65535, 65535, 1, seed)


def a_gif_of_many_large_frames(seed):
    return gif(5000, 5000, 200_000, seed)


def a_jpeg_of_many_scans(seed, scans=3000):
    """Each goes over all of it, and brings nothing."""
    side = 8000 + seed % 50
    quantiser = segment(0xDB, b"\0" + b"\1" * 64)
    frame = segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    codes = segment(0xC4, b"\x10" + bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]) + b"\xe0") + (
        segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0"))
    scan = segment(0xDA, b"\1\1\x10" + bytes([1, 63, 0]))
    return b"\xff\xd8" + quantiser + frame + codes + (scan + b"\0") * scans + b"\xff\xd9"


def webp_with(seed, kind):
    """64 MiB of metadata."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (seed % 256, 0, 0)).save(
        out, "WEBP", **{kind: b"\0" * (64 * MIB)})
    return out.getvalue()


def a_webp_with_a_large_profile(seed):
    return webp_with(seed, "icc_profile")


def a_webp_with_large_exif(seed):
    return webp_with(seed, "exif")


def a_heic_of_boxes_in_boxes(seed):
    """Each in the one before, as far as there is room."""
    boxes = struct.pack(">I", seed)
    for _ in range(20_000):
        boxes = struct.pack(">I4s", len(boxes) + 8, b"moov") + boxes
    return (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
            + struct.pack(">I4sI", len(boxes) + 12, b"meta", 0) + boxes)
