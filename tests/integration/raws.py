# SPDX-License-Identifier: Apache-2.0
"""Raw files as cameras lay them out, with a JPEG in them and noise in place of the samples."""

import io
import random
import struct
import uuid

from PIL import Image

from films import box

WIDE, HIGH = 1200, 800  # of what the camera has made of it, before it is turned


def jpeg(size=(WIDE, HIGH), seed=0, **save):
    """Blue, but for its left quarter, which is red."""
    image, out = Image.new("RGB", size, (20, 20, 200 - seed % 50)), io.BytesIO()
    image.paste((200, 20, 20), (0, 0, size[0] // 4, size[1]))
    image.save(out, "JPEG", **save)
    return out.getvalue()


class At:
    """Stands for where a directory or a file lies."""

    def __init__(self, kind, number=0):
        self.key = (kind, number)


def _value(value, places, order):
    """Type, count and bytes."""
    if isinstance(value, At):
        value = places.get(value.key, 0)
    if isinstance(value, str):
        return 2, len(value) + 1, value.encode() + b"\0"
    if isinstance(value, bytes):
        return 7, len(value), value
    if isinstance(value, float):
        return 5, 1, struct.pack(order + "2I", round(value * 1000), 1000)
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if values and isinstance(values[0], float):
        return 5, len(values), b"".join(struct.pack(order + "2I", round(v * 1000), 1000)
                                        for v in values)
    return 4, len(values), struct.pack(f"{order}{len(values)}I", *[
        places.get(v.key, 0) if isinstance(v, At) else v for v in values])


def _directory(entries, at, following, places, order):
    """One with what does not fit into it behind it."""
    out, data = struct.pack(order + "H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, value in sorted(entries.items()):
        kind, count, packed = _value(value, places, order)
        if len(packed) > 4:
            packed, data = struct.pack(order + "I", behind + len(data)), data + packed
        out += struct.pack(order + "HHI", tag, kind, count) + packed.ljust(4, b"\0")
    return out + struct.pack(order + "I", following) + data


def tiff(main, subs=(), details=None, place=None, files=(), order="<", magic=42, gap=0, far=0,
         follows=False):
    """A TIFF of these directories; At("sub", 1) is where the second of `subs` lies, At("file", 0)
    where the first of `files` does. The last of `subs` may follow the main one. `gap` bytes lie
    before all of them, and `far` behind the main one."""
    main = {**main, **({0x8769: At("details")} if details else {}),
            **({0x8825: At("place")} if place else {})}
    directories = {("main", 0): main, **{("sub", i): sub for i, sub in enumerate(subs)},
                   ("details", 0): details or {}, ("place", 0): place or {}}
    places, noise = {}, random.Random(gap + far)
    for _ in range(2):  # the second time it is known where all of them lie
        out = noise.randbytes(gap)
        for key, entries in directories.items():
            places[key] = at = 8 + len(out)
            last = places.get(("sub", len(subs) - 1), 0) if follows and key[0] == "main" else 0
            out += _directory(entries, at, last, places, order)
            out += noise.randbytes(far) if key[0] == "main" else b""
        for number, file in enumerate(files):
            places["file", number] = 8 + len(out)
            out += file
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", magic, places["main", 0])
    return head + out


TAKEN = "2026:05:04 12:30:00"


def details(taken=TAKEN):
    return {0x829A: 0.005, 0x829D: 2.8, 0x8827: 400, 0x9003: taken, 0x9011: "+02:00", 0x920A: 35.0,
            0xA434: "A lens"}


PLACE = {1: "N", 2: (47.0, 21.0, 0.0), 3: "E", 4: (8.0, 33.0, 0.0)}


def named(make, model, orientation=6):
    return {0x010F: make, 0x0110: model, 0x0112: orientation}


def preview(number=0):
    return {0x0201: At("file", number), 0x0202: 0}  # its length: see made()


def made(directory, files):
    """A directory that names the file which preview() stands for, with its length."""
    if 0x0201 in directory:
        directory[0x0202] = len(files[directory[0x0201].key[1]])
    return directory


def nef(file, taken=TAKEN, **layout):
    small = jpeg((160, 120))
    subs = [made(preview(1), [small, file]), {0xFE: 0, 0x100: WIDE + 16, 0x101: HIGH + 8, 0x106: 32803}]
    return tiff({0xFE: 1, 0x100: 160, 0x101: 120, **named("NIKON CORPORATION", "NIKON Z 6"),
                 0x014A: [At("sub", 0), At("sub", 1)]}, subs, details(taken), PLACE,
                [small, file], **layout)


def arw(file):
    return tiff({0xFE: 1, **named("SONY", "ILCE-7M3"), **made(preview(), [file])},
                details=details(), place=PLACE, files=[file])


def dng(file):
    sub = {0xFE: 1, 0x100: WIDE, 0x101: HIGH, 0x103: 7, 0x106: 6, 0x111: At("file", 0), 0x117: len(file)}
    return tiff({0xFE: 1, **named("Leica", "Q3"), 0xC612: b"\1\4\0\0", 0x014A: [At("sub", 0)]}, [sub],
                details(), PLACE, [file], order=">")


def cr2(file):
    made_of = tiff({**named("Canon", "EOS 5D"), 0x100: WIDE, 0x101: HIGH, 0x103: 6,
                    0x111: At("file", 0), 0x117: len(file)}, details=details(), place=PLACE,
                   files=[file], gap=8)
    return made_of[:8] + b"CR\2\0" + made_of[12:]


def rw2(file):
    return tiff({**named("Panasonic", "DC-GH5"), 4: 4, 5: 8, 6: HIGH + 4, 7: WIDE + 8, 0x2E: file},
                details=details(), place=PLACE, magic=0x55, gap=16)


def pef(file):
    return tiff({**named("PENTAX Corporation", "K-3"), 0x106: 32803, 0x100: WIDE + 20, 0x101: HIGH + 20}, [made(preview(), [file])], details(), PLACE, [file], order=">", follows=True)


def orf(file):
    """The preview is in the camera's notes, whose offsets count from their beginning."""
    head = b"OLYMPUS\0II\3\0"
    settings = struct.pack("<HHHIIHHIII", 2, 0x101, 4, 1, 64, 0x102, 4, 1, len(file), 0)
    notes = head + struct.pack("<H", 1) + struct.pack("<HHII", 0x2020, 13, 1, 30) + bytes(4)
    notes = (notes + settings).ljust(64, b"\0") + file
    return tiff({**named("OLYMPUS CORPORATION", "E-M1"), 0x100: WIDE, 0x101: HIGH},
                details={**details(), 0x927C: notes}, place=PLACE, magic=0x4F52)


def full_box(kind, *parts):
    return box(kind, bytes(4), *parts)


def own_box(name, *parts):
    return box(b"uuid", uuid.UUID(name).bytes, *parts)


def cr3(file, taken=TAKEN, orientation=6, small=None, fuller=None):
    """Boxes (github.com/lclevy/canon_cr3); `fuller` is the JPEG in its first track."""
    small = small or jpeg((160, 120))
    canon = own_box(
        "85c0b687-820f-11e0-8111-f4ce462b6a48", box(b"CNCV", b"CanonCR3_001/00.09.00/00.00.00"),
        box(b"CMT1", tiff({**named("Canon", "EOS R6", orientation), 0x100: 6000, 0x101: 4000})),
        box(b"CMT2", tiff(details(taken))), box(b"CMT3", tiff({1: 5})), box(b"CMT4", tiff(PLACE)),
        full_box(b"THMB", struct.pack(">HHII", 160, 120, len(small), 0x10000), small))
    xmp = own_box("be7acfcb-97a9-42e8-9c71-999491e3afac", b"<x:xmpmeta/>")
    shown = own_box("eaf42b5e-1c98-4b88-b9fb-b7dc406e4d16", struct.pack(">II", 0, 1), full_box(
        b"PRVW", struct.pack(">4HI", 1, WIDE, HIGH, 1, len(file)), file))
    samples = random.Random(len(file)).randbytes(5000)

    def track(at, length):
        stbl = box(b"stbl", full_box(b"stsz", struct.pack(">II", length, 1)),
                   full_box(b"co64", struct.pack(">IQ", 1, at)))
        return box(b"trak", full_box(b"tkhd"), box(b"mdia", box(b"minf", stbl)))

    def moov(at):
        head = full_box(b"mvhd", bytes(96))
        tracks = [track(at, len(fuller))] if fuller else []
        return box(b"moov", canon, head, *tracks, track(at + len(fuller or b""), len(samples)))

    ftyp = box(b"ftyp", b"crx ", b"\0\0\0\1", b"crx isom")
    before = len(ftyp) + len(moov(0)) + len(xmp) + len(shown) + 8
    return ftyp + moov(before) + xmp + shown + box(b"mdat", fuller or b"", samples)


def raf(file, size=(WIDE, HIGH)):
    """A header that says where the JPEG and the list of records lie. The rest the JPEG says."""
    records = struct.pack(">IHHHH", 2, 0x100, 4, HIGH + 40, WIDE + 40) + struct.pack(
        ">HHHH", 0x111, 4, size[1], size[0])
    head = b"FUJIFILMCCD-RAW 0201FF383501" + b"X-T4".ljust(32, b"\0") + b"0100" + bytes(20)
    at = len(head) + 24
    head += struct.pack(">6I", at, len(file), at + len(file), len(records), at + len(file) + len(records),
                        3000)
    return head + file + records + random.Random(len(file)).randbytes(3000)


def exif(make="FUJIFILM", model="X-T4", taken=TAKEN, orientation=6):
    """What the JPEG in a raw file says that says nothing itself."""
    return b"Exif\0\0" + tiff(named(make, model, orientation), details=details(taken), place=PLACE)
