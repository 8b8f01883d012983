#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prepares a model for the inference process: fetch, verify, simplify, calibrate, gate, publish.

    prepare.py NAME --out FOLDER          writes FOLDER/NAME and FOLDER/NAME-f32
    prepare.py NAME --onnx-only FILE      only fetches and verifies the ONNX file

models/README.md describes what a manifest says and what the gate asks for.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

# Only what is quick to import: "up to date" must be answered at once. numpy, openvino and nncf
# are imported by the steps that need them.
from errors import PrepareError
from files import explain_disk_errors, publish, scratch_folder, sha256_file, write_json
from manifest import Manifest, load, stamp, up_to_date

if TYPE_CHECKING:
    import numpy as np
    import openvino as ov
    from gate import Measure, Verdict

HERE = Path(__file__).resolve().parent
SPACE_NEEDED = 1 << 30  # archive, joined file, both models, npm's cache
HARM_PICTURES = 4  # how many of the worst pictures the search for a harmful block looks at
T = TypeVar("T")


def step(name: str, work: Callable[[], T], note: Callable[[T], str] = lambda _: "") -> T:
    """Runs one step and prints its line."""
    start = time.monotonic()
    print(f"{name:10}", end=" ", flush=True)
    try:
        result = work()
    except BaseException:
        print("failed")
        raise
    print(f"{time.monotonic() - start:6.1f} s  {note(result)}".rstrip(), flush=True)
    return result


@dataclass
class Round:
    """One turn of calibrate and gate."""
    ignored: tuple[str, ...]
    measures: "list[Measure]"
    verdict: "Verdict"
    blocks: list[dict]  # what the search for the next block measured; empty if there was none


@dataclass
class Pictures:
    calibrate: "list[np.ndarray]"
    held_out: "dict[str, np.ndarray]"


def scripts() -> list[Path]:
    """What decides the result besides the manifest."""
    return [p for p in HERE.glob("*.py") if not p.name.startswith(("test_", "agreement"))]


def wanted_stamp(path: Path) -> str:
    from importlib.metadata import PackageNotFoundError, version
    try:
        versions = {name: version(name) for name in ("openvino", "nncf", "scikit-image")}
    except PackageNotFoundError as e:
        raise PrepareError(f"the package {e.name} is missing: "
                           "pip install --no-deps -r models/requirements.txt") from e
    return stamp(path, scripts(), versions)


def check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED:
        raise PrepareError(f"{folder} has {free >> 20} MB free and {SPACE_NEEDED >> 20} MB are "
                           "needed: free some, or name another folder with --out")


def read_pictures(m: Manifest) -> Pictures:
    from photos import locate, tensor
    p = m.prepare
    paths = locate([*p.calibrate, *p.held_out])
    return Pictures([tensor(paths[n], m.input) for n in p.calibrate],
                    {n: tensor(paths[n], m.input) for n in p.held_out})


def measure_all(m: Manifest, model: Path, pictures: Pictures,
                full: "dict[str, np.ndarray]") -> "list[Measure]":
    from gate import measure
    from quantize import Runner
    run = Runner(model)
    return [measure(name, m.prepare.held_out[name], full[name], run.matte(x))
            for name, x in pictures.held_out.items()]


def find_int8(m: Manifest, model: "ov.Model", pictures: Pictures,
              full: "dict[str, np.ndarray]", folder: Path) -> list[Round]:
    """Calibrates and gates until it passes or the rounds are used up. The last round's model is
    in `folder`. Between two rounds the block that hurts most is moved to full precision."""
    from gate import judge
    from graph import save
    from quantize import blocks, calibrate, most_harmful_block, pattern_of
    p, ignored, rounds = m.prepare, m.prepare.ignored, []
    while True:
        def make(ignored: tuple[str, ...] = ignored) -> None:
            save(calibrate(model, pictures.calibrate, ignored), folder, f16_weights=False)
        step("calibrate", make, lambda _: f"{len(pictures.calibrate)} photos")
        measures, verdict = step("gate", lambda: (
            found := measure_all(m, folder / "model.xml", pictures, full),
            judge(found, p.gated, p.thresholds)),
            lambda r: "passed" if r[1].passed else "; ".join(r[1].failures))
        rounds.append(Round(ignored, measures, verdict, []))
        candidates = blocks(model, ignored)
        if verdict.passed or len(rounds) == p.rounds or not candidates:
            return rounds
        gated = [x for x in measures if x.group in p.gated]
        worst = sorted(gated, key=lambda x: x.iou)[:HARM_PICTURES]
        some = {x.picture: pictures.held_out[x.picture] for x in worst}
        block, rounds[-1].blocks = step(
            "locate", lambda c=candidates, s=some: most_harmful_block(
                folder / "model.xml", model, c, s, full),
            lambda r: f"{r[0]} stays in full precision from now on")
        ignored = (*ignored, pattern_of(block))


def prepared_manifest(m: Manifest, name: str, precision: str, quality: dict[str, Any] | None,
                      folder: Path, mark: str) -> dict[str, Any]:
    """What the inference process reads. `stamp` is for this script only."""
    from quantize import versions
    files = [folder / "model.xml", folder / "model.bin"]
    keep = ("title", "licence", "licence_note", "source")
    made = {"name": name, **{key: m.raw[key] for key in keep}, "file": "model.xml",
            "sha256": {f.name: sha256_file(f) for f in files},
            "input": m.raw["input"], "output": {"index": 0, "range": m.raw["output"]["range"]},
            "precision": precision, "prepared_with": versions(),
            "stamp": {"sha256": mark, "sizes": {f.name: f.stat().st_size for f in files}}}
    if quality is not None:
        made["quality"] = quality
    return made


def report(m: Manifest, rounds: list[Round], seconds: dict[str, float]) -> tuple[dict, str]:
    """The report as data and as text."""
    from gate import as_json, table
    last, p = rounds[-1], m.prepare
    v = last.verdict
    chosen = "int8" if v.passed else "f32"
    data = {"model": m.name, "precision": chosen, "thresholds": vars(p.thresholds),
            "seconds_per_picture": seconds, **as_json(last.measures, v),
            "ignored": list(last.ignored),
            "rounds": [{"ignored": list(r.ignored), "summary": r.verdict.quality(),
                        "failures": list(r.verdict.failures), "blocks": r.blocks}
                       for r in rounds]}
    lines = [table(last.measures, p.gated), "",
             f"gated: mean IoU {v.mean_iou:.4f} (at least {p.thresholds.mean_iou}), worst "
             f"{v.worst_iou:.4f} (at least {p.thresholds.worst_iou}), mean alpha error "
             f"{v.mean_alpha_error:.5f} (at most {p.thresholds.mean_alpha_error})",
             f"seconds per picture: full precision {seconds['f32']:.2f}, int8 "
             f"{seconds['int8']:.2f}",
             f"rounds: {len(rounds)}; in full precision: {' '.join(last.ignored) or 'nothing'}",
             f"verdict: {'int8 passed' if v.passed else 'int8 failed, full precision is used'}"]
    return data, "\n".join(lines) + "\n"


def prepare(m: Manifest, out: Path, mark: str) -> None:
    start = time.monotonic()
    with scratch_folder(out) as scratch:
        check_space(out)
        pictures = step("photos", lambda: read_pictures(m), lambda p:
                        f"{len(p.calibrate)} to calibrate, {len(p.held_out)} held out")
        onnx = step("fetch", lambda: fetch(m, scratch), lambda f:
                    f"{f.stat().st_size >> 20} MB, sha256 verified")
        full_folder, int8_folder = scratch / "full", scratch / "int8"
        full_folder.mkdir(), int8_folder.mkdir()

        from equalise import equalise
        from graph import read_onnx, save
        from quantize import Runner
        model = step("simplify", lambda: read_onnx(onnx, m.input, m.output_index))
        onnx.unlink()
        save(model, full_folder, f16_weights=True)
        runner = Runner(full_folder / "model.xml")
        full = step("reference", lambda: {n: runner.matte(x)
                                          for n, x in pictures.held_out.items()},
                    lambda r: f"{len(r)} mattes in full precision")
        first = next(iter(pictures.held_out.values()))
        seconds = {"f32": runner.seconds(first)}
        del runner
        if m.prepare.equalise:
            some = pictures.calibrate[::2]
            model = step("equalise", lambda: equalise(model, some, m.prepare.equalise))
        rounds = find_int8(m, model, pictures, full, int8_folder)
        seconds["int8"] = Runner(int8_folder / "model.xml").seconds(first)
        publish_all(m, out, rounds, (int8_folder, full_folder), seconds, mark)
    print(f"prepared {m.name} ({'int8' if rounds[-1].verdict.passed else 'f32'}) in "
          f"{time.monotonic() - start:.0f} s")


def publish_all(m: Manifest, out: Path, rounds: list[Round], folders: tuple[Path, Path],
                seconds: dict[str, float], mark: str) -> None:
    int8, full = folders
    verdict = rounds[-1].verdict
    if not verdict.passed:
        for name in ("model.xml", "model.bin"):
            shutil.copyfile(full / name, int8 / name)
    precision, quality = ("int8", verdict.quality()) if verdict.passed else ("f32", None)
    data, text = report(m, rounds, seconds)
    write_json(full / "manifest.json",
               prepared_manifest(m, f"{m.name}-f32", "f32", None, full, mark))
    write_json(int8 / "manifest.json",
               prepared_manifest(m, m.name, precision, quality, int8, mark))
    write_json(int8 / "report.json", data)
    (int8 / "report.txt").write_text(text, encoding="utf-8")
    publish(full, out / f"{m.name}-f32")
    publish(int8, out / m.name)  # last: its stamp says that all is done
    print(f"\n{text}")


def fetch(m: Manifest, folder: Path) -> Path:
    from fetch import fetch_onnx
    work = folder / "fetch"
    work.mkdir()
    path = folder / "model.onnx"
    path.write_bytes(fetch_onnx(m.source, work))
    shutil.rmtree(work)
    return path


def fetch_only(m: Manifest, target: Path) -> None:
    with scratch_folder(target.parent) as scratch:
        path = step("fetch", lambda: fetch(m, scratch), lambda f:
                    f"{f.stat().st_size >> 20} MB, sha256 verified")
        with explain_disk_errors(target.parent):
            path.replace(target)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="prepare.py", description=__doc__.split("\n", 1)[0])
    parser.add_argument("name", help="a manifest in models/ without its .json")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, help="folder for the prepared models")
    where.add_argument("--onnx-only", type=Path, metavar="FILE",
                       help="only fetch and verify the ONNX file")
    parser.add_argument("--again", action="store_true", help="prepare even if up to date")
    args = parser.parse_args(argv)
    try:
        path = HERE / f"{args.name}.json"
        m = load(path)
        if args.onnx_only:
            fetch_only(m, args.onnx_only.resolve())
            return 0
        out, mark = args.out.resolve(), wanted_stamp(path)
        if not args.again and all(up_to_date(out / n, mark) for n in (m.name, f"{m.name}-f32")):
            made = json.loads((out / m.name / "manifest.json").read_text(encoding="utf-8"))
            print(f"{m.name} is up to date ({made['precision']})")
            return 0
        prepare(m, out, mark)
        return 0
    except PrepareError as e:
        print(f"prepare.py: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("prepare.py: interrupted, nothing was changed", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
