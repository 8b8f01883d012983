#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/integration/golden/: what the model finds in each photo, without any of our C code.

The steps are rembg's for ISNet: stretch to the model's input with Lanczos, normalise, run, stretch
the least and greatest value to 0..1, and back to the photo's shape. A golden is the matte at a
quarter of a megapixel or less, as a grey PNG. Run it again only when the model changes.
"""

import argparse
import json
from pathlib import Path

import numpy
import openvino
from PIL import Image

from harness import MODELS, PHOTOS

NAMES = ["astronaut.png", "chelsea.png", "coffee.png"]
SIDE_MAX = 256
HERE = Path(__file__).resolve().parent


def matte_of(model, manifest, image):
    size = (manifest["input"]["width"], manifest["input"]["height"])
    pixels = numpy.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=numpy.float32)
    pixels = (pixels - manifest["input"]["mean"]) / manifest["input"]["scale"]
    output = model(pixels.astype(numpy.float32).transpose(2, 0, 1)[None])[
        manifest["output"]["index"]]
    matte = numpy.squeeze(output)
    matte = (matte - matte.min()) / (matte.max() - matte.min())
    return Image.fromarray((matte * 255).round().astype(numpy.uint8)).resize(
        image.size, Image.Resampling.LANCZOS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="isnet-general-use")
    folder = MODELS / parser.parse_args().model
    manifest = json.loads((folder / "manifest.json").read_text())
    core = openvino.Core()
    network = core.read_model(folder / manifest["file"])
    model = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for name in NAMES:
        matte = matte_of(model, manifest, Image.open(PHOTOS / name).convert("RGB"))
        matte.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.BOX)
        matte.save(HERE / "golden" / f"{Path(name).stem}.png", optimize=True)
        print(name, matte.size)


if __name__ == "__main__":
    main()
