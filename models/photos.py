# SPDX-License-Identifier: Apache-2.0
"""Finds the photos that the manifest names and turns them into the model's input.

The photos are never part of this repository. They come with two packages: skimage/data of the
Python package scikit-image and the examples of Debian's opencv-doc. Dockerfiles and minimal
systems tell dpkg to leave /usr/share/doc out, hence the second hint below.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from errors import PrepareError
from manifest import Input

OPENCV_DOC = Path("/usr/share/doc/opencv-doc/examples")
HINTS = {
    "skimage": "pip install --no-deps -r models/requirements.txt",
    "opencv-doc": "apt-get install opencv-doc (where dpkg leaves documentation out, unpack it: "
                  "apt-get download opencv-doc, dpkg -x the file to a folder, and set "
                  "OPENCV_DOC_EXAMPLES to its usr/share/doc/opencv-doc/examples)",
}


def roots() -> dict[str, Path]:
    """The folder behind each prefix of a photo's name."""
    import importlib.util
    spec = importlib.util.find_spec("skimage")  # found, not imported: that would need scipy etc.
    skimage = Path(spec.origin).parent / "data" if spec and spec.origin else Path("skimage/data")
    opencv = Path(os.environ.get("OPENCV_DOC_EXAMPLES", OPENCV_DOC))
    return {"skimage": skimage, "opencv-doc": opencv}


def locate(names: Sequence[str]) -> dict[str, Path]:
    """Maps names such as "skimage:coffee.png" to files. Every one must be there."""
    where = roots()
    paths: dict[str, Path] = {}
    for name in names:
        prefix, _, rest = name.partition(":")
        if prefix not in where:
            raise PrepareError(f"photo {name} in the manifest has no known prefix "
                               f"({', '.join(where)})")
        paths[name] = where[prefix] / rest
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        prefix = missing[0].partition(":")[0]
        raise PrepareError(f"{len(missing)} photos are missing, first {missing[0]}: "
                           f"{HINTS[prefix]}")
    return paths


def stretched(path: Path, spec: Input) -> Image.Image:
    """The picture in rgb at the model's input size."""
    try:
        with Image.open(path) as image:
            size = (spec.width, spec.height)
            return image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    except OSError as e:
        raise PrepareError(f"cannot read {path}: install the package that holds it again") from e


def as_tensor(image: Image.Image, spec: Input) -> np.ndarray:
    """(rgb - mean) / scale, [1, 3, H, W] float."""
    values = (np.asarray(image, np.float32) - np.float32(spec.mean)) / np.float32(spec.scale)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def tensor(path: Path, spec: Input) -> np.ndarray:
    """The picture as the model wants it. Calibration must see what the product will feed."""
    return as_tensor(stretched(path, spec), spec)
