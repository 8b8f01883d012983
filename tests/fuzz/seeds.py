#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpora of the fuzz targets: `seeds.py TARGET FOLDER`."""

import io
import json
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
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        file = io.BytesIO()
        picture.save(file, kind, exif=next(exif()))
        yield file.getvalue()


def blanks():
    """Each of the formats with metadata of several kinds, after the byte that names it."""
    picture, tags = Image.new("RGB", (24, 16), "orange"), next(exif())
    for number, kind in enumerate(("JPEG", "PNG", "WEBP")):
        for options in ({}, {"exif": tags}, {"exif": tags, "xmp": b"<x:xmpmeta/>", "comment": b"a"}):
            file = io.BytesIO()
            picture.save(file, kind, **options)
            for turned in (0, 5):
                yield bytes([number + 3 * turned]) + file.getvalue() + b"appended" * (turned > 0)


def exif():
    """What cameras write, and what breaks readers: both orders of bytes, Apple's notes, loops."""
    note = (b"Apple iOS\0\0\1MM\0\1\0\x11\0\2\0\0\0\x25\0\0\0\x20\0\0\0\0"
            b"0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9\0")
    for order in "<>":
        tags = Image.Exif()
        tags.endian = order
        tags[0x010F], tags[0x0110], tags[0x0112] = "Apple", "iPhone 15 Pro", 6
        tags.get_ifd(0x8769).update({
            0x829A: (1, 125), 0x829D: 1.78, 0x8827: 64, 0x9003: "2026:05:17 14:03:09",
            0x9004: "2026:05:17 14:03:09", 0x9011: "+02:00", 0x9012: "-03:30", 0x9291: "12",
            0x920A: 6.765, 0xA434: "back camera", 0x927C: note})
        tags.get_ifd(0x8825).update({
            1: "S", 2: (33.0, 51.0, 24.0), 3: "E", 4: (151.0, 12.5, 0.0), 5: b"\1", 6: 12.5})
        block = tags.tobytes()
        yield block
        yield block[6:]
        for maker in (b"Canon", b"NIKON", b"OLYMP\0", b"FUJIFILM", b"PENTAX \0", b"SONY DSC"):
            yield block.replace(b"Apple iOS", maker.ljust(9, b"\0"))
    for head in (b"II*\0\x10\0\0\0CR\2\0", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", b"\0\0\0\x18ftypheic",
                 b"FUJIFILMCCD-RAW ", b"MM\0*\0\0\0\x08\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x08\0\0\0\0"):
        yield head


def film():
    """What phones write, and boxes of every kind of size."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
    from films import box, ftyp, large_box_head, moov
    texts = {"com.apple.quicktime.content.identifier": "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9",
             "com.apple.quicktime.creationdate": "2026-05-17T14:03:09+0200",
             "com.apple.quicktime.location.ISO6709": "-33.8567+151.2083-012.500/",
             "com.apple.quicktime.make": "Apple", "com.android.model": "Pixel"}
    described = moov(texts, created=1779019389)
    yield described
    yield ftyp() + box(b"mdat", bytes(9)) + described
    yield large_box_head(b"mdat", 24) + bytes(8) + described
    yield b"\0\0\0\0moov" + described[8:]
    user = box(b"udta", box(b"\xa9xyz", b"\0\x12\x15\xc7+47.3500+008.5500/"),
               box(b"\xa9day", b"\0\x18\0\02026-05-17T14:03:09+0200"), described[-200:])
    yield box(b"moov", box(b"mvhd", b"\1" + bytes(107)), user)


def raw():
    """One of each kind, after the byte that names it; the JPEG in them is no more than its ends."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
    import raws
    file = b"\xff\xd8\xff\xe0" + bytes(20) + b"\xff\xd9"
    yield b"\0" + raws.cr3(file, small=file, fuller=file + bytes(9))
    yield b"\1" + raws.raf(file)
    for build in (raws.nef, raws.arw, raws.dng, raws.cr2, raws.pef):
        yield b"\2" + build(file)
    yield b"\3" + raws.orf(file)
    yield b"\4" + raws.rw2(file)


# RFC 7515, appendices A.2 and A.3, and a set with their keys and that of RFC 8037, appendix A.
RS256 = (
    'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF'
    'tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu'
    '3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdi'
    'uB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x'
    'i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A'
    'XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw')
ES256 = (
    'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF'
    'tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw'
    '5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q')
KEYS = (
    ('{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mP'
     'ddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2'
     'jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg'
     '665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2e'
     'thFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}'),
    ('{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_F'
     'EzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'),
    ('{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'))


def jwt():
    """A token and a key set, as the target wants them."""
    for token in (ES256, RS256, "e30.e30.", "A-z_4ME", "A" * 43):
        yield token
        for key in KEYS:
            yield f'{token}\n{{"keys":[{key}]}}'
    yield ES256 + '\n{"keys":[' + ",".join(KEYS) + ",{}]}"
    refused = '{"kty":"EC","use":"sig","key_ops":["verify"],"alg":"ES256","kid":"a","d":"A"}'
    yield f'{ES256}\n{{"keys":[{refused}]}}'
    for claims in ('{"iss":"i","exp":1767225700,"a":true,"b":null}', '{"aud":["x"],"exp":1.5e9}',
                   ' { "a" : "\\u0061" , "a":-1,"b":{"c":false}}'):
        yield f"{claims}\n{claims}"


def webauthn():
    """What a software authenticator says, by the byte that chooses; see the target."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))
    from authenticator import EDDSA, ES256, RS256, Passkey, unb64
    options = {"rp": {"id": "localhost"}, "rpId": "localhost", "challenge": "QUJD",
               "user": {"id": "AAAAAAAAAAAAAAAAAAAAAA"}}
    for alg in (ES256, EDDSA, RS256):
        for fmt in ("none", "packed"):
            passkey = Passkey(alg)
            new = passkey.create(options, "http://localhost:8080", fmt)
            used = passkey.get(options, "http://localhost:8080")
            signature = unb64(used["response"]["signature"])[:255]
            yield b"n" + unb64(new["response"]["attestationObject"])
            yield (b"s" + bytes([len(signature)]) + signature
                   + unb64(used["response"]["authenticatorData"]))
            for one in (new, used):
                yield b"c" + unb64(one["response"]["clientDataJSON"])
                yield b"j" + json.dumps(one).encode()


TARGETS = {"fuzz_blanks": blanks, "fuzz_exif": exif, "fuzz_film": film, "fuzz_form": form, "fuzz_jwt": jwt,
           "fuzz_probe": probe, "fuzz_raw": raw, "fuzz_webauthn": webauthn}


def main():
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[target]()):
        data = seed if isinstance(seed, bytes) else seed.encode()
        (folder / f"seed-{number:03}").write_bytes(data)


if __name__ == "__main__":
    main()
