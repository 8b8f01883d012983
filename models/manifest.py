# SPDX-License-Identifier: Apache-2.0
"""Reads and checks a model's source manifest; says whether a prepared model is up to date.

models/README.md describes every field.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import PrepareError
from files import sha256_file

RANGES = ("unit", "sigmoid", "minmax")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SIZE_MAX = 4096
ROUNDS_MAX = 8


@dataclass(frozen=True)
class Input:
    width: int
    height: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True)
class Thresholds:
    """What int8 must reach over the gated pictures."""
    mean_iou: float
    worst_iou: float
    mean_alpha_error: float


@dataclass(frozen=True)
class Prepare:
    """How int8 is made: which photos, what stays in full precision, and what it must reach."""
    calibrate: tuple[str, ...]
    held_out: dict[str, str]  # photo -> group
    gated: tuple[str, ...]  # the groups that decide
    ignored: tuple[str, ...]  # regular expressions on operation names
    equalise: float  # 0: off
    thresholds: Thresholds
    rounds: int


@dataclass(frozen=True)
class Manifest:
    raw: dict[str, Any]
    name: str
    source: dict[str, str]
    input: Input
    output_index: int
    prepare: Prepare


class Fields:
    """Takes fields out of a JSON object and names the one that is wrong."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise PrepareError(f"{where} is not a JSON object: compare with models/README.md")
        self.value, self.where = value, where

    def fail(self, key: str, wanted: str) -> PrepareError:
        return PrepareError(f"{self.where}: `{key}` is not {wanted}: compare with models/README.md")

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        v = self.value.get(key)
        if not isinstance(v, str) or not v or (pattern and not pattern.fullmatch(v)):
            raise self.fail(key, "a text of the right form")
        return v

    def texts(self, key: str) -> tuple[str, ...]:
        v = self.value.get(key)
        if not isinstance(v, list) or not all(isinstance(x, str) and x for x in v):
            raise self.fail(key, "a list of texts")
        if len(set(v)) != len(v):
            raise self.fail(key, "free of repeats")
        return tuple(v)

    def number(self, key: str, low: float, high: float) -> float:
        v = self.value.get(key)
        if isinstance(v, bool) or not isinstance(v, int | float) or not low <= v <= high:
            raise self.fail(key, f"a number from {low} to {high}")
        return float(v)

    def integer(self, key: str, low: int, high: int) -> int:
        v = self.number(key, low, high)
        if v != int(v):
            raise self.fail(key, "a whole number")
        return int(v)

    def triple(self, key: str) -> tuple[float, ...]:
        v = self.value.get(key)
        if (not isinstance(v, list) or len(v) != 3
                or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in v)):
            raise self.fail(key, "three numbers")
        return tuple(float(x) for x in v)

    def object(self, key: str) -> "Fields":
        return Fields(self.value.get(key), f"{self.where}: `{key}`")


def parse(raw: Any, where: str) -> Manifest:
    top = Fields(raw, where)
    top.text("title"), top.text("licence"), top.text("licence_note")
    source, spec, output = top.object("source"), top.object("input"), top.object("output")
    source.text("package", re.compile(r"npm:(@[\w.-]+/)?[\w.-]+"))
    source.text("version", re.compile(r"[0-9][\w.+-]*"))
    source.text("member")
    source.text("sha256", SHA256)
    if output.text("range") not in RANGES:
        raise output.fail("range", f"one of {', '.join(RANGES)}")
    shape = Input(spec.integer("width", 32, SIZE_MAX), spec.integer("height", 32, SIZE_MAX),
                  spec.triple("mean"), spec.triple("scale"))
    if 0.0 in shape.scale:
        raise spec.fail("scale", "free of zeros")
    return Manifest(raw, top.text("name", NAME), source.value, shape,
                    output.integer("index", 0, 64), parse_prepare(top.object("prepare")))


def parse_prepare(p: Fields) -> Prepare:
    held_out: dict[str, str] = {}
    groups = p.object("held_out")
    for group in groups.value:
        for photo in groups.texts(group):
            if held_out.setdefault(photo, group) != group:
                raise groups.fail(group, f"free of {photo}, which is in another group too")
    calibrate, gated = p.texts("calibrate"), p.texts("gated")
    if both := sorted(set(calibrate) & set(held_out)):
        raise p.fail("calibrate", f"free of {both[0]}, which is held out to judge the result")
    if not calibrate:
        raise p.fail("calibrate", "a list with a photo in it")
    if not gated or not set(gated) <= set(groups.value):
        raise p.fail("gated", "a list of groups of `held_out`")
    t = p.object("thresholds")
    limits = Thresholds(t.number("mean_iou", 0, 1), t.number("worst_iou", 0, 1),
                        t.number("mean_alpha_error", 0, 1))
    ignored = p.texts("ignored")
    for pattern in ignored:
        try:
            re.compile(pattern)
        except re.error as e:
            raise p.fail("ignored", f"a list of regular expressions ({pattern}: {e})") from e
    return Prepare(calibrate, held_out, gated, ignored, p.number("equalise", 0, 1), limits,
                   p.integer("rounds", 1, ROUNDS_MAX))


def load(path: Path) -> Manifest:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
        raise PrepareError(f"there is no {path.name} in {path.parent}: known models are "
                           f"{known}") from e
    except (OSError, ValueError) as e:
        raise PrepareError(f"cannot read {path}: {e}") from e
    manifest = parse(raw, path.name)
    if manifest.name != path.stem:
        raise PrepareError(f"{path.name}: `name` is {manifest.name}: rename the one or the other")
    return manifest


def stamp(manifest_path: Path, scripts: Sequence[Path], versions: dict[str, str]) -> str:
    """One hash of everything that decides the result: manifest, scripts, package versions."""
    h = hashlib.sha256(json.dumps(versions, sort_keys=True).encode())
    for path in [manifest_path, *sorted(scripts)]:
        h.update(f"{path.name} {sha256_file(path)}\n".encode())
    return h.hexdigest()


def up_to_date(folder: Path, wanted: str) -> bool:
    """True if `folder` holds a model prepared under this stamp whose files are all there.

    Sizes are compared, not contents: hashing 44 MB on every start of a build would take longer
    than all the rest. The consumer checks the sha256 when it loads the model.
    """
    try:
        made = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        sizes: dict[str, int] = made["stamp"]["sizes"]
        return made["stamp"]["sha256"] == wanted and set(sizes) == set(made["sha256"]) and all(
            (folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False
