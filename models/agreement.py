#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the full-precision model agree with itself? Decides which photos can judge int8 at all.

    agreement.py NAME --out FOLDER [PHOTO...]     (prepared before; default: all held-out photos)

Two changes that nobody sees are made to each photo: it is encoded again as JPEG, and one pixel is
cut off all around. A photo whose matte then changes by more than int8 is allowed to change the
worst one is put into the manifest's group "undecided". Run this when a photo is added, not on
every preparation: it costs three passes per photo.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from errors import PrepareError
from gate import iou
from manifest import Input, load
from photos import as_tensor, locate, stretched
from quantize import Runner

JPEG_QUALITY = 92


def variants(image: Image.Image, spec: Input) -> Iterator[Image.Image]:
    """`image` has the model's input size already."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=JPEG_QUALITY)
    yield Image.open(encoded).convert("RGB")
    inner = image.crop((1, 1, spec.width - 1, spec.height - 1))
    yield inner.resize((spec.width, spec.height), Image.Resampling.BILINEAR)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="agreement.py", description=__doc__.split("\n", 1)[0])
    parser.add_argument("name")
    parser.add_argument("--out", type=Path, required=True, help="folder of the prepared models")
    parser.add_argument("photos", nargs="*")
    args = parser.parse_args(argv)
    try:
        m = load(Path(__file__).resolve().parent / f"{args.name}.json")
        paths = locate(args.photos or list(m.prepare.held_out))
    except PrepareError as e:
        print(f"agreement.py: {e}", file=sys.stderr)
        return 1
    run = Runner(args.out / f"{m.name}-f32" / "model.xml")
    limit = m.prepare.thresholds.worst_iou
    for name, path in paths.items():
        image = stretched(path, m.input)
        plain = run.matte(as_tensor(image, m.input))
        found = [iou(plain, run.matte(as_tensor(v, m.input))) for v in variants(image, m.input)]
        group = "" if min(found) >= limit else "  undecided"
        print(f"{name:42} jpeg {found[0]:.4f}  crop {found[1]:.4f}{group}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
